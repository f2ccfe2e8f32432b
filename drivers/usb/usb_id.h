// What names a USB device: its ids, and the place where it is plugged.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "harness/base/error.h"

namespace hilmark {

/// idVendor and idProduct.
struct UsbId {
  std::uint16_t vendor = 0;
  std::uint16_t product = 0;
  friend bool operator==(const UsbId&, const UsbId&) = default;
};

[[nodiscard]] std::string to_text(const UsbId& id);               ///< "0483:df11"
[[nodiscard]] Result<UsbId> parse_usb_id(std::string_view text);  ///< four hex digits, a colon, four hex digits

/// A device at its place. The port path ("1-4.2": bus, then the ports down to it; "1": bus 1's root hub) is what stays
/// when a board re-enumerates with other ids.
struct UsbPlugged {
  std::string port;
  UsbId id;
  std::string serial;         ///< empty if it has none or was not opened to read it
  std::uint64_t arrival = 0;  ///< numbers the arrivals that this process has seen: 1, 2, 3 …
  /// Of a hub: 2, or 3 for the SuperSpeed half of a USB 3 hub, which is two devices. 0: it is none.
  int hub_generation = 0;
  [[nodiscard]] std::string text() const;  ///< "0483:5740 serial V0001 at port 1-1"
};

/// "1-1", "2-4.1" or, for a root hub, "1".
[[nodiscard]] std::string port_path(unsigned bus, const std::vector<std::uint8_t>& ports);

/// For messages: "0483:5740 at port 1-1, 0483:df11 at port 1-2"; "nothing" if the list is empty.
[[nodiscard]] std::string list_text(const std::vector<UsbPlugged>& plugged);

/// The line that lets everybody at the console, and the group plugdev, use this device, for
/// /etc/udev/rules.d/60-hilmark.rules.
[[nodiscard]] std::string udev_rule(const UsbId& id);
/// The same for the kernel's serial ports of this device.
[[nodiscard]] std::string udev_tty_rule(const UsbId& id);

}  // namespace hilmark
