#include "drivers/usb/usb_id.h"

#include <charconv>

namespace hilmark {
namespace {

bool parse_hex16(std::string_view text, std::uint16_t& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  return text.size() == 4 && error == std::errc() && end == text.data() + text.size();
}

}  // namespace

std::string to_text(const UsbId& id) { return fmt::format("{:04x}:{:04x}", id.vendor, id.product); }

Result<UsbId> parse_usb_id(std::string_view text) {
  UsbId id;
  if (text.size() == 9 && text[4] == ':' && parse_hex16(text.substr(0, 4), id.vendor) &&
      parse_hex16(text.substr(5), id.product)) {
    return id;
  }
  return fail(ErrorKind::usage, "'{}' is no USB id; expected VID:PID as in 0483:df11", text);
}

std::string UsbPlugged::text() const {
  if (serial.empty()) return fmt::format("{} at port {}", to_text(id), port);
  return fmt::format("{} serial {} at port {}", to_text(id), serial, port);
}

std::string port_path(unsigned bus, const std::vector<std::uint8_t>& ports) {
  std::string path = std::to_string(bus);
  for (std::size_t index = 0; index < ports.size(); ++index) {
    path += index == 0 ? '-' : '.';
    path += std::to_string(ports[index]);
  }
  return path;
}

std::string list_text(const std::vector<UsbPlugged>& plugged) {
  if (plugged.empty()) return "nothing";
  std::string text;
  for (const UsbPlugged& device : plugged) {
    if (!text.empty()) text += ", ";
    text += device.text();
  }
  return text;
}

std::string udev_rule(const UsbId& id) {
  return fmt::format(
      R"(SUBSYSTEM=="usb", ATTR{{idVendor}}=="{:04x}", ATTR{{idProduct}}=="{:04x}", MODE="0660", GROUP="plugdev", )"
      R"(TAG+="uaccess")",
      id.vendor, id.product);
}

std::string udev_tty_rule(const UsbId& id) {
  return fmt::format(
      R"(SUBSYSTEM=="tty", ATTRS{{idVendor}}=="{:04x}", ATTRS{{idProduct}}=="{:04x}", MODE="0660", TAG+="uaccess")",
      id.vendor, id.product);
}

}  // namespace hilmark
