#include "boards/virtual/hub_model.h"

#include <algorithm>

namespace virtual_lab {
namespace {

// Tables 11-15 to 11-17.
constexpr std::uint8_t get_status = 0;
constexpr std::uint8_t clear_feature = 1;
constexpr std::uint8_t set_feature = 3;
constexpr std::uint8_t get_descriptor = 6;
constexpr std::uint16_t port_power = 8;
constexpr std::uint16_t change_of_port_connection = 16;
constexpr std::uint8_t hub_descriptor = 0x29;
constexpr std::uint8_t status_change_in = 0x81;

// Table 11-21.
constexpr unsigned status_connected = 0x0001;
constexpr unsigned status_enabled = 0x0002;
constexpr unsigned status_powered = 0x0100;

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
                               {9, 4, 0, 0, 1, 0x09, 0, 0, 0, 7, 5, status_change_in, 0x03, 4, 0, 12});
  descriptors.strings = {"hilmark", "Virtual lab root hub", "virtual"};
  descriptors.speed_megabits = 480;
  return descriptors;
}

}  // namespace

HubModel::HubModel(unsigned ports) : UsbDevice(hub_descriptors()), ports_(std::min(ports, max_ports)) {}

BulkStep HubModel::bulk_in(std::uint8_t endpoint, std::span<std::uint8_t> /*into*/) {
  // Changes are announced as hotplug events; nobody but a kernel listens here.
  return {endpoint == status_change_in ? Handshake::nak : Handshake::stall, 0};
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
  constexpr std::uint8_t from_hub = 0xa0;
  constexpr std::uint8_t to_hub = 0x20;
  if (setup.request_type == from_hub && setup.request == get_descriptor && setup.value >> 8 == hub_descriptor) {
    constexpr std::uint8_t power_and_overcurrent_per_port = 0x09;
    constexpr std::uint8_t power_on_to_good_2ms = 10;
    // Two bytes for the ports' bits as there may be more than 7: removable all, and a field that must be all ones.
    return give(Bytes{11, hub_descriptor, static_cast<std::uint8_t>(ports_.size()), power_and_overcurrent_per_port, 0,
                      power_on_to_good_2ms, 0, 0, 0, 0xff, 0xff},
                data);
  }
  if (setup.request_type == from_hub && setup.request == get_status) return give(Bytes{0, 0, 0, 0}, data);
  if (setup.request_type == to_hub) return 0;
  return port_request(setup, data);
}

std::optional<std::size_t> HubModel::port_request(const SetupPacket& setup, std::span<std::uint8_t> data) {
  constexpr std::uint8_t from_port = 0xa3;
  constexpr std::uint8_t to_port = 0x23;
  const unsigned number = setup.index & 0xff;
  if (number == 0 || number > ports_.size()) return std::nullopt;
  Port& port = ports_[number - 1];
  if (setup.request_type == from_port && setup.request == get_status) {
    unsigned status = port.powered ? status_powered : 0;
    if (port.powered && port.connected) status |= status_connected | status_enabled;
    Bytes answer;
    append_u16(answer, status);
    append_u16(answer, port.connection_changed ? status_connected : 0);
    return give(answer, data);
  }
  if (setup.request_type != to_port || (setup.request != set_feature && setup.request != clear_feature)) {
    return std::nullopt;
  }
  const bool on = setup.request == set_feature;
  if (setup.value == port_power) {
    port.powered = on;
    emit({DeviceEvent::Kind::port_power, number, on});
  }
  if (setup.value == change_of_port_connection && !on) port.connection_changed = false;
  return 0;
}

}  // namespace virtual_lab
