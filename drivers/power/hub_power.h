// Port power of USB hubs (USB 2.0 chapter 11, USB 3.2 chapter 10), as uhubctl does it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "drivers/usb/usb_context.h"
#include "harness/base/bytes.h"

namespace hilmark {

struct HubPort {
  std::string hub;  ///< its port path
  int port = 0;     ///< from 1 on
  friend bool operator==(const HubPort&, const HubPort&) = default;
};

/// Switches the power of one port. A USB 3 hub is two, and a board loses its power only when both have switched off the
/// port of its connector (USB 3.2 section 10.3.1.1): the other half is found and switched too, before the named one, so
/// that a board which has left the bus has no power either. Errors: usage (no hub there, no such port, one of the
/// halves does not switch ports one by one, permission), rig (it failed).
[[nodiscard]] Result<void> switch_hub_port(const UsbContext& usb, const HubPort& place, bool on);

/// What a hub descriptor (USB 2.0 section 11.23.2.1, USB 3.2 section 10.15.2.1) says on switching that port; the error
/// says why it cannot be done.
[[nodiscard]] Result<void> check_hub_descriptor(ByteView descriptor, int port);

/// A hub as its halves are matched.
struct HubHalf {
  std::string hub;     ///< its port path
  Bytes container_id;  ///< empty: it tells none
};
/// The port path of the other half of `hub` among hubs of the other USB generation: the one with its container id, and
/// of several (there are makers who give all their hubs the same) the one that has the same way down from its root hub.
/// Empty: there is none, or it cannot be told.
[[nodiscard]] std::string other_half(const HubHalf& hub, const std::vector<HubHalf>& others);

/// The port that a link `peer` in /sys names, "../../2-4/2-4:1.0/2-4-port2" or "…/usb2-port1"; nothing if it names
/// none.
[[nodiscard]] std::optional<HubPort> peer_port(std::string_view link);

}  // namespace hilmark
