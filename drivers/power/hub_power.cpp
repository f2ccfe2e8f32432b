#include "drivers/power/hub_power.h"

#include "drivers/usb/usb_device.h"

namespace hilmark {
namespace {

constexpr std::uint8_t in_class_device = 0xa0;
constexpr std::uint8_t out_class_port = 0x23;
constexpr std::uint8_t clear_feature = 1;
constexpr std::uint8_t set_feature = 3;
constexpr std::uint8_t get_descriptor = 6;
constexpr std::uint16_t hub_descriptor = 0x2900;
constexpr std::uint16_t port_power = 8;
constexpr Milliseconds limit{3000};

}  // namespace

Result<void> check_hub_descriptor(ByteView descriptor, int port) {
  if (descriptor.size() < 5 || descriptor[1] != hub_descriptor >> 8) {
    return fail(ErrorKind::usage, "it answers with no hub descriptor: {}", to_hex(descriptor));
  }
  if (port < 1 || port > descriptor[2])
    return fail(ErrorKind::usage, "it has the ports 1 to {}, not {}", descriptor[2], port);
  // wHubCharacteristics, bits 1 and 0: 01 is individual port power switching.
  if ((descriptor[3] & 3) != 1)
    return fail(ErrorKind::usage, "it does not switch its ports one by one; use another hub, or commands");
  return {};
}

Result<void> switch_hub_port(const UsbContext& usb, const std::string& hub, int port, bool on) {
  const auto plugged = usb.at(hub);
  if (!plugged) {
    return fail(ErrorKind::usage, "there is no hub at {}, which the lab file names for power; plugged: {}", hub,
                list_text(usb.plugged()));
  }
  auto device = UsbDevice::open(usb, *plugged);
  if (!device) return fail(device.error().error);
  const auto descriptor = (*device)->control_in({in_class_device, get_descriptor, hub_descriptor, 0}, 71, limit);
  if (!descriptor) return fail(descriptor.error().error, "asking for the hub descriptor");
  const auto fits = check_hub_descriptor(*descriptor, port);
  if (!fits) return fail(fits.error(), "hub {}", (*device)->plugged().text());
  const UsbSetup setup{out_class_port, on ? set_feature : clear_feature, port_power, static_cast<std::uint16_t>(port)};
  const auto done = (*device)->control_out(setup, {}, limit);
  if (!done) return fail(done.error().error, "switching port {} {}", port, on ? "on" : "off");
  return {};
}

}  // namespace hilmark
