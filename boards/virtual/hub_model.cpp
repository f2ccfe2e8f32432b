#include "boards/virtual/hub_model.h"

#include <algorithm>

namespace virtual_lab {
namespace {

// Tables 11-15 to 11-17.
constexpr std::uint8_t kGetStatus = 0;
constexpr std::uint8_t kClearFeature = 1;
constexpr std::uint8_t kSetFeature = 3;
constexpr std::uint8_t kGetDescriptor = 6;
constexpr std::uint16_t kPortPower = 8;
constexpr std::uint16_t kChangeOfPortConnection = 16;
constexpr std::uint8_t kHubDescriptor = 0x29;
constexpr std::uint8_t kStatusChangeIn = 0x81;

// Table 11-21.
constexpr unsigned kStatusConnected = 0x0001;
constexpr unsigned kStatusEnabled = 0x0002;
constexpr unsigned kStatusPowered = 0x0100;

UsbDescriptors hub_descriptors() {
  UsbDescriptors descriptors;
  descriptors.device = device_descriptor({.class_code = 0x09,
                                          .subclass = 0,
                                          .protocol = 1,
                                          .vendor_id = 0x1d6b,
                                          .product_id = 0x0002,
                                          .device_version = 0x0100});
  descriptors.configuration =
      configuration_descriptor({.interfaces = 1, .attributes = 0xe0, .max_power_2ma = 0},
                               {9, 4, 0, 0, 1, 0x09, 0, 0, 0, 7, 5, kStatusChangeIn, 0x03, 4, 0, 12});
  descriptors.strings = {"hilmark", "Virtual lab root hub", "virtual"};
  descriptors.speed_megabits = 480;
  return descriptors;
}

}  // namespace

HubModel::HubModel(unsigned ports) : UsbDevice(hub_descriptors()), ports_(std::min(ports, kMaxPorts)) {}

BulkStep HubModel::bulk_in(std::uint8_t endpoint, std::span<std::uint8_t> /*into*/) {
  // Changes are announced as hotplug events; nobody but a kernel listens here.
  return {endpoint == kStatusChangeIn ? Handshake::kNak : Handshake::kStall, 0};
}

void HubModel::show_connected(unsigned port, bool connected) {
  if (port == 0 || port > ports_.size()) return;
  Port& shown = ports_[port - 1];
  shown.connection_changed = shown.connection_changed || shown.connected != connected;
  shown.connected = connected;
}

void HubModel::show_power(unsigned port, bool on) {
  if (port >= 1 && port <= ports_.size()) ports_[port - 1].powered = on;
}

std::optional<std::size_t> HubModel::class_request(const SetupPacket& setup, std::span<std::uint8_t> data) {
  constexpr std::uint8_t kFromHub = 0xa0;
  constexpr std::uint8_t kToHub = 0x20;
  if (setup.request_type == kFromHub && setup.request == kGetDescriptor && setup.value >> 8 == kHubDescriptor) {
    constexpr std::uint8_t kPowerAndOvercurrentPerPort = 0x09;
    constexpr std::uint8_t kPowerOnToGood2ms = 10;
    // Two bytes for the ports' bits as there may be more than 7: removable all, and a field that must be all ones.
    return give(Bytes{11, kHubDescriptor, static_cast<std::uint8_t>(ports_.size()), kPowerAndOvercurrentPerPort, 0,
                      kPowerOnToGood2ms, 0, 0, 0, 0xff, 0xff},
                data);
  }
  if (setup.request_type == kFromHub && setup.request == kGetStatus) return give(Bytes{0, 0, 0, 0}, data);
  if (setup.request_type == kToHub) return 0;
  return port_request(setup, data);
}

std::optional<std::size_t> HubModel::port_request(const SetupPacket& setup, std::span<std::uint8_t> data) {
  constexpr std::uint8_t kFromPort = 0xa3;
  constexpr std::uint8_t kToPort = 0x23;
  const unsigned number = setup.index & 0xff;
  if (number == 0 || number > ports_.size()) return std::nullopt;
  Port& port = ports_[number - 1];
  if (setup.request_type == kFromPort && setup.request == kGetStatus) {
    unsigned status = port.powered ? kStatusPowered : 0;
    if (port.powered && port.connected) status |= kStatusConnected | kStatusEnabled;
    Bytes answer;
    append_u16(answer, status);
    append_u16(answer, port.connection_changed ? kStatusConnected : 0);
    return give(answer, data);
  }
  if (setup.request_type != kToPort || (setup.request != kSetFeature && setup.request != kClearFeature)) {
    return std::nullopt;
  }
  const bool on = setup.request == kSetFeature;
  if (setup.value == kPortPower) {
    port.powered = on;
    emit({DeviceEvent::Kind::kPortPower, number, on});
  }
  if (setup.value == kChangeOfPortConnection && !on) port.connection_changed = false;
  return 0;
}

}  // namespace virtual_lab
