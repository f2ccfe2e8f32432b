// Writes, reads and starts what a DfuSe bootloader keeps, through a DfuPort.
#pragma once

#include "drivers/dfu/dfu_port.h"
#include "drivers/dfu/dfuse_core.h"
#include "drivers/dfu/dfuse_layout.h"
#include "drivers/unit/unit.h"

namespace hilmark {

/// What a bootloader says of itself.
struct DfuSeMemory {
  DfuSeLayout layout;
  DfuFunctional functional;
};

class DfuSeFlasher {
 public:
  /// Errors (usage): the board's layout is not `expected`, the chip file's; no DfuSe; it can neither read nor write.
  [[nodiscard]] static Result<DfuSeFlasher> make(DfuPort& port, const DfuSeMemory& memory, const DfuSeLayout& expected,
                                                 const Clock& clock);

  /// Erases the sectors that the content touches, writes it, reads it back, and compares octet for octet. Errors:
  /// usage (does not fit), unit (refused, or does not read back), rig (link), timeout (later than the deadline).
  [[nodiscard]] Result<FlashReport> write(std::uint32_t address, ByteView content, const Progress& progress,
                                          const Deadline& deadline);
  [[nodiscard]] Result<Bytes> read(std::uint32_t address, std::size_t size_bytes, const Progress& progress,
                                   const Deadline& deadline);
  /// Starts the application at `address`; the board leaves the bus.
  [[nodiscard]] Result<void> leave(std::uint32_t address, const Deadline& deadline);

 private:
  DfuSeFlasher(DfuPort& port, DfuSeLayout layout, std::uint16_t transfer_bytes, const Clock& clock)
      : port_(&port), layout_(std::move(layout)), transfer_bytes_(transfer_bytes), clock_(&clock) {}
  struct Work;
  [[nodiscard]] Result<Bytes> run(const Work& work, const Deadline& deadline);
  [[nodiscard]] Result<void> check_reach(std::size_t size_bytes) const;

  DfuPort* port_;
  DfuSeLayout layout_;
  std::uint16_t transfer_bytes_;
  const Clock* clock_;
};

}  // namespace hilmark
