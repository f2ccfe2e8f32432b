#include "boards/virtual/usb_device.h"

#include <algorithm>

namespace virtual_lab {
namespace {

// Chapter 9.4, table 9-4, and table 9-5 for the descriptors' types.
constexpr std::uint8_t get_status = 0;
constexpr std::uint8_t clear_feature = 1;
constexpr std::uint8_t set_feature = 3;
constexpr std::uint8_t get_descriptor = 6;
constexpr std::uint8_t get_configuration = 8;
constexpr std::uint8_t set_configuration = 9;
constexpr std::uint8_t get_interface = 10;
constexpr std::uint8_t set_interface = 11;
constexpr std::uint8_t device_type = 1;
constexpr std::uint8_t configuration_type = 2;
constexpr std::uint8_t string_type = 3;
constexpr std::uint8_t interface_type = 4;
constexpr std::uint8_t endpoint_type = 5;
constexpr std::size_t interface_bytes = 9;
constexpr std::size_t endpoint_bytes = 7;
constexpr std::uint8_t bos_type = 15;
constexpr std::size_t max_string_characters = 126;

}  // namespace

SetupPacket SetupPacket::parse(ByteView bytes) {
  const auto u16 = [&](std::size_t at) { return static_cast<std::uint16_t>(bytes[at] | bytes[at + 1] << 8); };
  return SetupPacket{bytes[0], bytes[1], u16(2), u16(4), u16(6)};
}

std::vector<UsbInterface> UsbDescriptors::interfaces() const {
  std::vector<UsbInterface> found;
  for (std::size_t at = 0; at + 2 <= configuration.size() && configuration[at] >= 2; at += configuration[at]) {
    const ByteView one = ByteView(configuration).subspan(at);
    if (one.size() < one[0]) break;
    if (one[1] == interface_type && one[0] >= interface_bytes)
      found.push_back(UsbInterface{one[2], one[5], one[6], one[7], one[8], {}});
    if (one[1] == endpoint_type && one[0] >= endpoint_bytes && !found.empty()) found.back().endpoints.push_back(one[2]);
  }
  return found;
}

Bytes device_descriptor(const DeviceIdentity& identity) {
  Bytes bytes{18, device_type};
  append_u16(bytes, identity.usb_version);
  bytes.insert(bytes.end(), {identity.class_code, identity.subclass, identity.protocol, identity.max_packet_size0});
  append_u16(bytes, identity.vendor_id);
  append_u16(bytes, identity.product_id);
  append_u16(bytes, identity.device_version);
  bytes.insert(bytes.end(), {1, 2, 3, 1});
  return bytes;
}

Bytes configuration_descriptor(const ConfigurationShape& shape, const Bytes& what_belongs_to_it) {
  Bytes bytes{9, configuration_type};
  append_u16(bytes, static_cast<unsigned>(9 + what_belongs_to_it.size()));
  bytes.insert(bytes.end(), {shape.interfaces, 1, 0, shape.attributes, shape.max_power_2ma});
  bytes.insert(bytes.end(), what_belongs_to_it.begin(), what_belongs_to_it.end());
  return bytes;
}

std::optional<std::size_t> UsbDevice::control(const SetupPacket& setup, std::span<std::uint8_t> data) {
  if (data.size() != setup.length || silent_) return std::nullopt;
  return setup.is_standard() ? standard_request(setup, data) : class_request(setup, data);
}

bool UsbDevice::struck_by(TransferFaults& faults) {
  const TransferFaults::Strike strike = faults.next();
  if (strike == TransferFaults::Strike::unplug) {
    pulled_out_ = true;
    emit({DeviceEvent::Kind::unplug});
  }
  if (strike == TransferFaults::Strike::silence) silent_ = true;
  return strike != TransferFaults::Strike::none || pulled_out_;
}

BulkStep UsbDevice::bulk_out(std::uint8_t /*endpoint*/, ByteView /*data*/) { return {Handshake::stall, 0}; }

BulkStep UsbDevice::bulk_in(std::uint8_t /*endpoint*/, std::span<std::uint8_t> /*into*/) {
  return {Handshake::stall, 0};
}

std::size_t UsbDevice::give(ByteView answer, std::span<std::uint8_t> room) {
  const std::size_t size = std::min(answer.size(), room.size());
  std::copy_n(answer.begin(), size, room.begin());
  return size;
}

std::optional<std::size_t> UsbDevice::standard_request(const SetupPacket& setup, std::span<std::uint8_t> data) {
  const unsigned type = setup.value >> 8;
  switch (setup.request) {
    case get_descriptor: {
      if (!setup.to_host()) return std::nullopt;
      if (type == device_type) return give(descriptors_.device, data);
      if (type == configuration_type && (setup.value & 0xff) == 0) return give(descriptors_.configuration, data);
      if (type == bos_type && !descriptors_.bos.empty()) return give(descriptors_.bos, data);
      if (type != string_type) return std::nullopt;
      const auto text = string_descriptor(setup.value & 0xff);
      if (!text) return std::nullopt;
      return give(*text, data);
    }
    case get_status:
      return give(Bytes{0, 0}, data);
    case get_configuration:
      return give(Bytes{configuration_}, data);
    case get_interface:
      return give(Bytes{0}, data);
    case set_configuration:
      if (setup.value > 1) return std::nullopt;
      configuration_ = static_cast<std::uint8_t>(setup.value);
      return 0;
    case set_interface:
    case clear_feature:
    case set_feature:
      return 0;
    default:
      return std::nullopt;
  }
}

std::optional<Bytes> UsbDevice::string_descriptor(unsigned index) const {
  if (index == 0) return Bytes{4, string_type, 0x09, 0x04};  // English (United States) only
  if (index > descriptors_.strings.size()) return std::nullopt;
  const std::string text = descriptors_.strings[index - 1].substr(0, max_string_characters);
  Bytes bytes{static_cast<std::uint8_t>(2 + 2 * text.size()), string_type};
  for (const char character : text) append_u16(bytes, static_cast<unsigned char>(character));
  return bytes;
}

}  // namespace virtual_lab
