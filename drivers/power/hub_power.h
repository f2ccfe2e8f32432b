// Port power of USB hubs (USB 2.0 chapter 11), as uhubctl does it.
#pragma once

#include <string>

#include "drivers/usb/usb_context.h"
#include "harness/base/bytes.h"

namespace hilmark {

/// Switches the power of one port. Errors: usage (no hub there, no such port, it does not switch ports one by one,
/// permission), rig (it failed).
[[nodiscard]] Result<void> switch_hub_port(const UsbContext& usb, const std::string& hub, int port, bool on);

/// What a hub descriptor (section 11.23.2.1) says on switching that port; the error says why it cannot be done.
[[nodiscard]] Result<void> check_hub_descriptor(ByteView descriptor, int port);

}  // namespace hilmark
