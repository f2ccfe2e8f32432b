// Carries out by a DfuPort what a DFU core says, until it is done. The one place where either touches a board.
#pragma once

#include "drivers/dfu/dfu_machine.h"
#include "drivers/dfu/dfu_port.h"
#include "drivers/unit/unit.h"

namespace hilmark {

/// Linux's usbfs takes no longer control transfer.
inline constexpr std::uint16_t dfu_max_transfer_bytes = 4096;

struct DfuWork {
  std::string step;  ///< "writing", for progress and messages
  Progress progress;
};

/// Errors: the core's own with the device's name before them; timeout if the deadline is over first.
[[nodiscard]] Result<void> run_dfu(DfuMachine& core, DfuPort& port, const DfuWork& work, const Deadline& deadline);

/// Compares what was read back with what was written to `address` on; the error (unit) names the first octet that
/// differs, or how many there are.
[[nodiscard]] Result<void> compare_flash(const DfuPort& port, std::uint32_t address, ByteView written, ByteView read);

}  // namespace hilmark
