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
constexpr std::uint8_t hub_type = 0x29;
constexpr std::uint8_t superspeed_hub_type = 0x2a;  // USB 3.2, chapter 10.15.2.1
constexpr std::uint8_t status_change_in = 0x81;

// Table 11-21; of SuperSpeed ports table 10-13 of USB 3.2.
constexpr unsigned status_connected = 0x0001;
constexpr unsigned status_enabled = 0x0002;
constexpr unsigned status_powered = 0x0100;
constexpr unsigned superspeed_powered = 0x0200;
constexpr unsigned link_disabled = 0x0080;
constexpr unsigned link_rx_detect = 0x00a0;

// USB 3.2, chapter 9.6.2: link power management, for the USB 3 half what it can, and what both halves of a hub share.
Bytes bos_descriptor(const HubKind& kind) {
  constexpr std::uint8_t bos_type = 15;
  constexpr std::uint8_t capability = 16;
  constexpr std::uint8_t usb2_extension = 2;
  constexpr std::uint8_t superspeed = 3;
  constexpr std::uint8_t container_id = 4;
  Bytes all{7, capability, usb2_extension, 2, 0, 0, 0};
  std::uint8_t count = 1;
  if (kind.superspeed) {
    all.insert(all.end(), {10, capability, superspeed, 0, 0x08, 0, 3, 4, 0xe7, 0});
    ++count;
  }
  if (!kind.container_id.empty()) {
    all.insert(all.end(), {20, capability, container_id, 0});
    all.insert(all.end(), kind.container_id.begin(), kind.container_id.end());
    ++count;
  }
  Bytes bos{5, bos_type};
  append_u16(bos, static_cast<unsigned>(5 + all.size()));
  bos.push_back(count);
  bos.insert(bos.end(), all.begin(), all.end());
  return bos;
}

DeviceIdentity hub_identity(const HubKind& kind) {
  const bool root = kind.serial.empty();
  DeviceIdentity identity{.class_code = 0x09, .protocol = 1, .device_version = 0x0100};
  identity.vendor_id = root ? 0x1d6b : 0x1209;
  identity.product_id = root ? 0x0002 : 0x0d02;
  if (!root) identity.usb_version = 0x0210;  // with a BOS descriptor
  if (kind.superspeed) {
    constexpr std::uint8_t exponent_of_512 = 9;
    identity.usb_version = 0x0300;
    identity.protocol = 3;
    identity.max_packet_size0 = exponent_of_512;
    ++identity.product_id;
  }
  return identity;
}

UsbDescriptors hub_descriptors(const HubKind& kind) {
  const bool root = kind.serial.empty();
  UsbDescriptors descriptors;
  descriptors.device = device_descriptor(hub_identity(kind));
  Bytes interface {
    9, 4, 0, 0, 1, 0x09, 0, 0, 0, 7, 5, status_change_in, 0x03, kind.superspeed ? std::uint8_t{2} : std::uint8_t{4}, 0,
        12
  };
  if (kind.superspeed) interface.insert(interface.end(), {6, 0x30, 0, 0, 2, 0});  // endpoint companion, chapter 9.6.7
  descriptors.configuration =
      configuration_descriptor({.interfaces = 1, .attributes = 0xe0, .max_power_2ma = 0}, interface);
  if (!root || kind.superspeed) descriptors.bos = bos_descriptor(kind);
  descriptors.strings = {"hilmark", root ? "Virtual lab root hub" : "Virtual hub", root ? "virtual" : kind.serial};
  descriptors.speed_megabits = kind.superspeed ? 5000 : 480;
  return descriptors;
}

}  // namespace

HubModel::HubModel(const HubKind& kind)
    : UsbDevice(hub_descriptors(kind)),
      superspeed_(kind.superspeed),
      switches_ports_(kind.switches_ports),
      ports_(std::min(kind.ports, max_ports)) {}

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

bool HubModel::powered(unsigned port) const { return port >= 1 && port <= ports_.size() && ports_[port - 1].powered; }

Bytes HubModel::hub_descriptor() const {
  constexpr unsigned overcurrent_per_port = 0x08;
  constexpr std::uint8_t power_on_to_good_2ms = 10;
  const unsigned characteristics = overcurrent_per_port | (switches_ports_ ? 1U : 2U);
  const auto count = static_cast<std::uint8_t>(ports_.size());
  Bytes descriptor{0, superspeed_ ? superspeed_hub_type : hub_type, count};
  append_u16(descriptor, characteristics);
  descriptor.insert(descriptor.end(), {power_on_to_good_2ms, 0});
  if (superspeed_) {
    descriptor.insert(descriptor.end(), {4, 0, 0, 0, 0});  // decoding and forwarding take time; removable all
  } else {
    // A bit for each port, and bit 0: removable all, and a field that must be all ones.
    const std::size_t bitmap = ports_.size() / 8 + 1;
    descriptor.insert(descriptor.end(), bitmap, 0);
    descriptor.insert(descriptor.end(), bitmap, 0xff);
  }
  descriptor[0] = static_cast<std::uint8_t>(descriptor.size());
  return descriptor;
}

unsigned HubModel::status_of(const Port& port) const {
  if (superspeed_) return port.powered ? superspeed_powered | link_rx_detect : link_disabled;
  if (!port.powered) return 0;
  return status_powered | (port.connected ? status_connected | status_enabled : 0);
}

std::optional<std::size_t> HubModel::class_request(const SetupPacket& setup, std::span<std::uint8_t> data) {
  constexpr std::uint8_t from_hub = 0xa0;
  constexpr std::uint8_t to_hub = 0x20;
  const std::uint8_t type = superspeed_ ? superspeed_hub_type : hub_type;
  if (setup.request_type == from_hub && setup.request == get_descriptor && setup.value >> 8 == type) {
    return give(hub_descriptor(), data);
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
    Bytes answer;
    append_u16(answer, status_of(port));
    append_u16(answer, port.connection_changed ? status_connected : 0);
    return give(answer, data);
  }
  if (setup.request_type != to_port || (setup.request != set_feature && setup.request != clear_feature)) {
    return std::nullopt;
  }
  const bool on = setup.request == set_feature;
  if (setup.value == port_power && switches_ports_) {
    port.powered = on;
    emit({DeviceEvent::Kind::port_power, number, on});
  }
  if (setup.value == change_of_port_connection && !on) port.connection_changed = false;
  return 0;
}

}  // namespace virtual_lab
