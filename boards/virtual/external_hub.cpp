#include "boards/virtual/external_hub.h"

#include <fmt/format.h>

namespace virtual_lab {
namespace {

// Made up, and another for each hub.
Bytes container_id_of(unsigned port) {
  Bytes id{0x6d, 0x9b, 0x52, 0xe4, 0x0f, 0x37, 0x4c, 0x81, 0xa5, 0x1e, 0x33, 0xd0, 0x7a, 0xc8, 0x44, 0};
  id.back() = static_cast<std::uint8_t>(port);
  return id;
}

}  // namespace

ExternalHub::ExternalHub(const HubSpec& spec, UsbBus& bus,
                         std::function<void(unsigned port, const PortState& state)> on_change)
    : spec_(spec), bus_(bus), on_change_(std::move(on_change)) {}

Result<void> ExternalHub::plug() {
  auto plugged = plug(usb2_, false);
  if (plugged && spec_.usb3 != HubSpec::Usb3::none) plugged = plug(usb3_, true);
  return plugged;
}

Result<void> ExternalHub::plug(Half& half, bool superspeed) {
  HubKind kind{.ports = spec_.ports, .superspeed = superspeed, .serial = fmt::format("HUB{}", spec_.port)};
  if (spec_.usb3 == HubSpec::Usb3::container_id) kind.container_id = container_id_of(spec_.port);
  half.model = std::make_shared<HubModel>(kind);
  half.mutex = std::make_shared<std::mutex>();
  const bool has_twin = spec_.usb3 != HubSpec::Usb3::none;
  auto plugged = bus_.plug({.port = spec_.port,
                            .model = half.model,
                            .board_mutex = half.mutex,
                            .on_event = [this](const DeviceEvent& event) { tell(event.port); },
                            .bus = superspeed ? 2U : 1U,
                            .hub = half.model,
                            .twin_bus = has_twin ? (superspeed ? 1U : 2U) : 0U});
  if (!plugged) return failure(plugged.error());
  half.plugged = std::move(*plugged);
  return {};
}

Result<void> ExternalHub::set_upstream(bool on) {
  if (on == (usb2_.plugged != nullptr)) return {};
  Half leaving;
  if (on) {
    if (const auto plugged = plug(usb2_, false); !plugged) return failure(plugged.error());
  } else {
    leaving = std::exchange(usb2_, {});  // what is plugged into it leaves the bus first
  }
  for (unsigned port = 1; port <= spec_.ports; ++port) tell(port);
  return {};
}

void ExternalHub::switch_port(unsigned port, bool on) {
  usb2_.switch_port(port, on);
  usb3_.switch_port(port, on);
  tell(port);
}

void ExternalHub::tell(unsigned port) const {
  const bool data = usb2_.feeds(port);
  on_change_(port, {.power = data || usb3_.feeds(port), .data = data});
}

bool ExternalHub::Half::feeds(unsigned port) const {
  if (plugged == nullptr) return false;
  const std::lock_guard lock(*mutex);
  return model->powered(port);
}

void ExternalHub::Half::switch_port(unsigned port, bool on) const {
  if (plugged == nullptr) return;
  const std::lock_guard lock(*mutex);
  model->show_power(port, on);
}

}  // namespace virtual_lab
