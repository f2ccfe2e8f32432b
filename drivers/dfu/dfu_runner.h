// Carries out by a DfuPort what a DFU core says, until it is done. The one place where either touches a board.
#pragma once

#include "drivers/dfu/dfu_machine.h"
#include "drivers/dfu/dfu_port.h"
#include "drivers/unit/flash_run.h"

namespace hilmark {

/// Linux's usbfs takes no longer control transfer.
inline constexpr std::uint16_t dfu_max_transfer_bytes = 4096;

/// Error (unit): the bootloader announces blocks of no octets.
[[nodiscard]] Result<void> check_block_size(const DfuPort& port, const DfuFunctional& functional);

/// Errors: the core's own with the device's name before them; timeout if the deadline is over first.
[[nodiscard]] Result<void> run_dfu(DfuMachine& core, DfuPort& port, const FlashWork& work, const Deadline& deadline);

}  // namespace hilmark
