// A board on the bench's USB, real or virtual: flasher, console and power put together to a Unit.
#pragma once

#include <memory>

#include "drivers/unit/usb_board.h"

namespace hilmark {

/// Checks the configuration and reads the command set; touches no board. Errors: usage. `usb`, `clock` and `evidence`
/// must outlive the unit.
[[nodiscard]] Result<std::unique_ptr<Unit>> make_usb_unit(UsbUnitConfig config, UsbContext& usb, const Clock& clock,
                                                          EvidenceLog& evidence);

}  // namespace hilmark
