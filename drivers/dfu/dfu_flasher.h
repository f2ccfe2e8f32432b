// Writes, reads and starts what a plain DFU bootloader (1.0 or 1.1) keeps, through a DfuPort.
#pragma once

#include "drivers/dfu/dfu_core.h"
#include "drivers/dfu/dfu_port.h"
#include "drivers/dfu/dfu_runner.h"
#include "drivers/unit/flasher.h"

namespace hilmark {

/// The chip file's facts. Plain DFU knows no addresses: what is downloaded is the firmware from its first byte on.
struct DfuFlashPlace {
  std::uint32_t base = 0;     ///< what that first byte's address is called
  std::size_t max_bytes = 0;  ///< room for a firmware
};

/// The bootloader erases what it needs: a report counts no sectors. Verified is what was uploaded after manifestation;
/// without bitCanUpload, or if the board is not back in dfuIDLE after it (not tolerant), the report says so.
class DfuFlasher final : public Flasher {
 public:
  /// Errors (usage): another version of DFU (DfuSe has a flasher of its own); it cannot be written. `port` outlives the
  /// flasher.
  [[nodiscard]] static Result<DfuFlasher> make(DfuPort& port, const DfuFunctional& functional,
                                               const DfuFlashPlace& place, const Clock& clock);

  /// `address` is the base. Where the board is not tolerant of manifestation, it waits for start() then.
  [[nodiscard]] Result<FlashReport> write(std::uint32_t address, ByteView content, const Progress& progress,
                                          const Deadline& deadline) override;
  /// Reads from the base on, since nothing else can be, and gives what was asked for.
  [[nodiscard]] Result<Bytes> read(std::uint32_t address, std::size_t size_bytes, const Progress& progress,
                                   const Deadline& deadline) override;
  /// A bus reset, from whatever state: what comes back is the firmware, if the bootloader finds it good. `address` is
  /// not used.
  [[nodiscard]] Result<void> start(std::uint32_t address, const Deadline& deadline) override;
  [[nodiscard]] bool can_read() const override { return functional_.can_upload; }

 private:
  DfuFlasher(DfuPort& port, const DfuFunctional& functional, const DfuFlashPlace& place, const Clock& clock);
  [[nodiscard]] Result<Bytes> upload(std::size_t size_bytes, const FlashWork& work, const Deadline& deadline);
  [[nodiscard]] Result<void> check_place(std::uint32_t address, std::size_t size_bytes) const;

  DfuPort* port_;
  DfuFunctional functional_;
  DfuFlashPlace place_;
  std::uint16_t transfer_bytes_;
  const Clock* clock_;
};

}  // namespace hilmark
