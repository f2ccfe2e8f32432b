// Writes, reads and starts what a DfuSe bootloader keeps, through a DfuPort.
#pragma once

#include <optional>

#include "drivers/dfu/dfu_port.h"
#include "drivers/dfu/dfu_runner.h"
#include "drivers/dfu/dfuse_core.h"
#include "drivers/dfu/dfuse_layout.h"
#include "drivers/unit/flasher.h"

namespace hilmark {

/// What a bootloader says of itself.
struct DfuSeMemory {
  DfuSeLayout layout;
  DfuFunctional functional;
  /// Where its option bytes are, if it names them among its memories ("@Option Bytes"), as ST's do.
  std::optional<std::uint32_t> option_bytes = {};
};

/// Erases the sectors that the content touches. A flash that is read-protected is refused (unit), with what
/// unprotecting it takes and erases: that is never done here.
class DfuSeFlasher final : public Flasher {
 public:
  /// Errors (usage): the board's layout is not `expected`, the chip file's; no DfuSe; it can neither read nor write.
  /// `port` outlives the flasher.
  [[nodiscard]] static Result<DfuSeFlasher> make(DfuPort& port, const DfuSeMemory& memory, const DfuSeLayout& expected,
                                                 const Clock& clock);

  [[nodiscard]] Result<FlashReport> write(std::uint32_t address, ByteView content, const Progress& progress,
                                          const Deadline& deadline) override;
  [[nodiscard]] Result<Bytes> read(std::uint32_t address, std::size_t size_bytes, const Progress& progress,
                                   const Deadline& deadline) override;
  [[nodiscard]] Result<void> start(std::uint32_t address, const Deadline& deadline) override;
  [[nodiscard]] Result<void> erase_all(const Progress& progress, const Deadline& deadline) override;

 private:
  DfuSeFlasher(DfuPort& port, DfuSeMemory memory, std::uint16_t transfer_bytes, const Clock& clock)
      : port_(&port), memory_(std::move(memory)), transfer_bytes_(transfer_bytes), clock_(&clock) {}
  /// What the operations read.
  [[nodiscard]] Result<Bytes> run(std::vector<DfuSeOperation> operations, const FlashWork& work,
                                  const Deadline& deadline);
  [[nodiscard]] Result<void> check_reach(std::size_t size_bytes) const;
  [[nodiscard]] Result<std::vector<std::uint32_t>> to_erase(std::uint32_t address, std::size_t size_bytes) const;

  DfuPort* port_;
  DfuSeMemory memory_;
  std::uint16_t transfer_bytes_;
  const Clock* clock_;
};

}  // namespace hilmark
