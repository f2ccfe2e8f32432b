#include "drivers/power/hub_power.h"

#include <algorithm>
#include <charconv>

#include "drivers/usb/usb_device.h"

namespace hilmark {
namespace {

constexpr std::uint8_t in_class_device = 0xa0;
constexpr std::uint8_t out_class_port = 0x23;
constexpr std::uint8_t clear_feature = 1;
constexpr std::uint8_t set_feature = 3;
constexpr std::uint8_t get_descriptor = 6;
constexpr std::uint8_t hub_type = 0x29;
constexpr std::uint8_t superspeed_hub_type = 0x2a;
constexpr std::uint16_t max_descriptor_bytes = 71;
constexpr std::uint16_t port_power = 8;
constexpr Milliseconds limit{3000};

struct OpenHub {
  std::unique_ptr<UsbDevice> device;
  Bytes descriptor;
};

Result<OpenHub> open_hub(const UsbContext& usb, const UsbPlugged& plugged) {
  auto device = UsbDevice::open(usb, plugged);
  if (!device) return fail(device.error().error);
  const std::uint8_t type = plugged.hub_generation == 3 ? superspeed_hub_type : hub_type;
  auto descriptor = (*device)->control_in({in_class_device, get_descriptor, static_cast<std::uint16_t>(type << 8), 0},
                                          max_descriptor_bytes, limit);
  if (!descriptor) return fail(descriptor.error().error, "asking for the hub descriptor");
  return OpenHub{std::move(*device), std::move(*descriptor)};
}

Result<void> check(const OpenHub& hub, int port) {
  const auto fits = check_hub_descriptor(hub.descriptor, port);
  if (!fits) return fail(fits.error(), "hub {}", hub.device->plugged().text());
  return {};
}

Result<void> switch_port(const OpenHub& hub, int port, bool on) {
  const UsbSetup setup{out_class_port, on ? set_feature : clear_feature, port_power, static_cast<std::uint16_t>(port)};
  const auto done = hub.device->control_out(setup, {}, limit);
  if (!done) return fail(done.error().error, "switching port {} {}", port, on ? "on" : "off");
  return {};
}

/// By container ids. Hubs that do not let us look are passed over: the kernel's links may tell of them.
std::string find_by_container(const UsbContext& usb, UsbDevice& hub) {
  const int own = hub.plugged().hub_generation;
  std::vector<UsbPlugged> candidates = usb.plugged();
  std::erase_if(candidates,
                [&](const UsbPlugged& one) { return one.hub_generation == 0 || one.hub_generation == own; });
  if (candidates.empty()) return {};
  const HubHalf wanted{hub.plugged().port, hub.container_id()};
  if (wanted.container_id.empty()) return {};
  std::vector<HubHalf> others;
  for (const UsbPlugged& plugged : candidates) {
    if (const auto device = UsbDevice::open(usb, plugged)) others.push_back({plugged.port, (*device)->container_id()});
  }
  return other_half(wanted, others);
}

/// By the kernel's link, which also tells which ports of two root hubs have one connector.
std::optional<HubPort> find_by_peer(const HubPort& place) {
  const bool root = place.hub.find('-') == std::string::npos;
  const std::string interface = place.hub + (root ? "-0:1.0" : ":1.0");
  const std::string port = fmt::format("{}{}-port{}", root ? "usb" : "", place.hub, place.port);
  std::error_code error;
  const auto link =
      std::filesystem::read_symlink(std::filesystem::path("/sys/bus/usb/devices") / interface / port / "peer", error);
  return error ? std::nullopt : peer_port(link.string());
}

/// The port of the other half, where there is one.
Result<void> switch_other_half(const UsbContext& usb, UsbDevice& hub, int port, bool on) {
  std::optional<HubPort> twin;
  if (const std::string place = find_by_container(usb, hub); !place.empty()) twin = HubPort{place, port};
  if (!twin) twin = find_by_peer({hub.plugged().port, port});
  const auto there = twin ? usb.at(twin->hub) : std::nullopt;
  if (!there) return {};
  const auto other = open_hub(usb, *there);
  if (!other) return fail(other.error());
  // Some hubs have more ports of the one generation than of the other.
  const bool has_port = other->descriptor.size() < 3 || twin->port <= other->descriptor[2];
  if (!has_port) return {};
  if (auto fits = check(*other, twin->port); !fits) return fits;
  return switch_port(*other, twin->port, on);
}

}  // namespace

Result<void> check_hub_descriptor(ByteView descriptor, int port) {
  if (descriptor.size() < 5 || (descriptor[1] != hub_type && descriptor[1] != superspeed_hub_type)) {
    return fail(ErrorKind::usage, "it answers with no hub descriptor: {}", to_hex(descriptor));
  }
  if (port < 1 || port > descriptor[2])
    return fail(ErrorKind::usage, "it has the ports 1 to {}, not {}", descriptor[2], port);
  // wHubCharacteristics, bits 1 and 0: 01 is individual port power switching.
  if ((descriptor[3] & 3) != 1)
    return fail(ErrorKind::usage, "it does not switch its ports one by one; use another hub, or commands");
  return {};
}

std::string other_half(const HubHalf& hub, const std::vector<HubHalf>& others) {
  const auto way_down = [](const std::string& place) { return place.substr(std::min(place.find('-'), place.size())); };
  std::vector<std::string> same;
  for (const HubHalf& other : others) {
    if (!hub.container_id.empty() && other.container_id == hub.container_id) same.push_back(other.hub);
  }
  if (same.size() > 1) {
    std::erase_if(same, [&](const std::string& place) { return way_down(place) != way_down(hub.hub); });
  }
  return same.size() == 1 ? same.front() : std::string();
}

std::optional<HubPort> peer_port(std::string_view link) {
  static constexpr std::string_view before_number = "-port";
  const std::string_view name = link.substr(link.rfind('/') + 1);
  const std::size_t at = name.rfind(before_number);
  if (at == std::string_view::npos) return std::nullopt;
  std::string_view hub = name.substr(0, at);
  if (hub.starts_with("usb")) hub.remove_prefix(3);
  const std::string_view number = name.substr(at + before_number.size());
  int port = 0;
  const auto parsed = std::from_chars(number.data(), number.data() + number.size(), port);
  if (hub.empty() || parsed.ec != std::errc() || parsed.ptr != number.data() + number.size() || port < 1) {
    return std::nullopt;
  }
  return HubPort{std::string(hub), port};
}

Result<void> switch_hub_port(const UsbContext& usb, const HubPort& place, bool on) {
  const auto plugged = usb.at(place.hub);
  if (!plugged) {
    return fail(ErrorKind::usage, "there is no hub at {}, which the lab file names for power; plugged: {}", place.hub,
                list_text(usb.plugged()));
  }
  if (plugged->hub_generation == 0) {
    return fail(ErrorKind::usage, "{} is no hub, but the lab file names it for power", plugged->text());
  }
  const auto named = open_hub(usb, *plugged);
  if (!named) return fail(named.error());
  if (auto fits = check(*named, place.port); !fits) return fits;
  const auto other = switch_other_half(usb, *named->device, place.port, on);
  if (!other) return fail(other.error(), "the other half of hub {}, which feeds port {} too", place.hub, place.port);
  return switch_port(*named, place.port, on);
}

}  // namespace hilmark
