// Writes, reads and starts what the flash of an RP2040 or RP2350 holds, through a PicobootPort.
#pragma once

#include <string>

#include "drivers/picoboot/picoboot_core.h"
#include "drivers/picoboot/picoboot_port.h"
#include "drivers/unit/flash_run.h"
#include "drivers/unit/flasher.h"

namespace hilmark {

/// What the chip file says of the flash; the bootloader cannot be asked.
struct PicobootFlash {
  PicobootChip chip = PicobootChip::rp2040;
  std::uint32_t base = 0x10000000;
  std::uint32_t size_bytes = 0;  ///< whole sectors of 4096
};

class PicobootFlasher final : public Flasher {
 public:
  /// `port` and `clock` must outlive it. Errors (usage): a flash that does not begin or end with a sector.
  [[nodiscard]] static Result<PicobootFlasher> make(PicobootPort& port, const PicobootFlash& flash, const Clock& clock);

  [[nodiscard]] Result<FlashReport> write(std::uint32_t address, ByteView content, const Progress& progress,
                                          const Deadline& deadline) override;
  [[nodiscard]] Result<Bytes> read(std::uint32_t address, std::size_t size_bytes, const Progress& progress,
                                   const Deadline& deadline) override;
  /// `address` must be the flash's first: a reboot looks nowhere else (else usage).
  [[nodiscard]] Result<void> start(std::uint32_t address, const Deadline& deadline) override;

 private:
  PicobootFlasher(PicobootPort& port, const PicobootFlash& flash, const Clock& clock)
      : port_(&port), flash_(flash), clock_(&clock) {}
  /// What the operations read.
  [[nodiscard]] Result<Bytes> run(std::vector<PicobootOperation> operations, const FlashWork& work,
                                  const Deadline& deadline);
  [[nodiscard]] PicobootEvent carry_out(const PicobootAction& action, Bytes& received);
  [[nodiscard]] Result<void> check_range(std::uint32_t address, std::size_t size_bytes) const;

  PicobootPort* port_;
  PicobootFlash flash_;
  const Clock* clock_;
};

}  // namespace hilmark
