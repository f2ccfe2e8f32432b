#include "boards/virtual/usb_device.h"

#include <algorithm>

namespace virtual_lab {
namespace {

// Chapter 9.4, table 9-4, and table 9-5 for the descriptors' types.
constexpr std::uint8_t kGetStatus = 0;
constexpr std::uint8_t kClearFeature = 1;
constexpr std::uint8_t kSetFeature = 3;
constexpr std::uint8_t kGetDescriptor = 6;
constexpr std::uint8_t kGetConfiguration = 8;
constexpr std::uint8_t kSetConfiguration = 9;
constexpr std::uint8_t kGetInterface = 10;
constexpr std::uint8_t kSetInterface = 11;
constexpr std::uint8_t kDeviceDescriptor = 1;
constexpr std::uint8_t kConfigurationDescriptor = 2;
constexpr std::uint8_t kStringDescriptor = 3;
constexpr std::uint8_t kInterfaceDescriptor = 4;
constexpr std::uint8_t kEndpointDescriptor = 5;
constexpr std::size_t kMaxStringCharacters = 126;

}  // namespace

SetupPacket SetupPacket::parse(ByteView bytes) {
  const auto u16 = [&](std::size_t at) { return static_cast<std::uint16_t>(bytes[at] | bytes[at + 1] << 8); };
  return SetupPacket{bytes[0], bytes[1], u16(2), u16(4), u16(6)};
}

std::vector<UsbInterface> UsbDescriptors::interfaces() const {
  std::vector<UsbInterface> found;
  for (std::size_t at = 0; at + 2 <= configuration.size() && configuration[at] >= 2; at += configuration[at]) {
    const ByteView one = ByteView(configuration).subspan(at);
    if (one[1] == kInterfaceDescriptor) found.push_back(UsbInterface{one[2], one[5], one[6], one[7], one[8], {}});
    if (one[1] == kEndpointDescriptor && !found.empty()) found.back().endpoints.push_back(one[2]);
  }
  return found;
}

Bytes device_descriptor(const DeviceIdentity& identity) {
  Bytes bytes{18, kDeviceDescriptor};
  append_u16(bytes, identity.usb_version);
  bytes.insert(bytes.end(), {identity.class_code, identity.subclass, identity.protocol, 64});
  append_u16(bytes, identity.vendor_id);
  append_u16(bytes, identity.product_id);
  append_u16(bytes, identity.device_version);
  bytes.insert(bytes.end(), {1, 2, 3, 1});
  return bytes;
}

Bytes configuration_descriptor(const ConfigurationShape& shape, const Bytes& what_belongs_to_it) {
  Bytes bytes{9, kConfigurationDescriptor};
  append_u16(bytes, static_cast<unsigned>(9 + what_belongs_to_it.size()));
  bytes.insert(bytes.end(), {shape.interfaces, 1, 0, shape.attributes, shape.max_power_2ma});
  bytes.insert(bytes.end(), what_belongs_to_it.begin(), what_belongs_to_it.end());
  return bytes;
}

std::optional<std::size_t> UsbDevice::control(const SetupPacket& setup, std::span<std::uint8_t> data) {
  if (data.size() != setup.length) return std::nullopt;
  return setup.is_standard() ? standard_request(setup, data) : class_request(setup, data);
}

BulkStep UsbDevice::bulk_out(std::uint8_t /*endpoint*/, ByteView /*data*/) { return {Handshake::kStall, 0}; }

BulkStep UsbDevice::bulk_in(std::uint8_t /*endpoint*/, std::span<std::uint8_t> /*into*/) {
  return {Handshake::kStall, 0};
}

std::size_t UsbDevice::give(ByteView answer, std::span<std::uint8_t> room) {
  const std::size_t size = std::min(answer.size(), room.size());
  std::copy_n(answer.begin(), size, room.begin());
  return size;
}

std::optional<std::size_t> UsbDevice::standard_request(const SetupPacket& setup, std::span<std::uint8_t> data) {
  const unsigned type = setup.value >> 8;
  switch (setup.request) {
    case kGetDescriptor: {
      if (!setup.to_host()) return std::nullopt;
      if (type == kDeviceDescriptor) return give(descriptors_.device, data);
      if (type == kConfigurationDescriptor && (setup.value & 0xff) == 0) return give(descriptors_.configuration, data);
      if (type != kStringDescriptor) return std::nullopt;
      const auto text = string_descriptor(setup.value & 0xff);
      if (!text) return std::nullopt;
      return give(*text, data);
    }
    case kGetStatus:
      return give(Bytes{0, 0}, data);
    case kGetConfiguration:
      return give(Bytes{1}, data);
    case kGetInterface:
      return give(Bytes{0}, data);
    case kSetConfiguration:
    case kSetInterface:
    case kClearFeature:
    case kSetFeature:
      return 0;
    default:
      return std::nullopt;
  }
}

std::optional<Bytes> UsbDevice::string_descriptor(unsigned index) const {
  if (index == 0) return Bytes{4, kStringDescriptor, 0x09, 0x04};  // English (United States) only
  if (index > descriptors_.strings.size()) return std::nullopt;
  const std::string text = descriptors_.strings[index - 1].substr(0, kMaxStringCharacters);
  Bytes bytes{static_cast<std::uint8_t>(2 + 2 * text.size()), kStringDescriptor};
  for (const char character : text) append_u16(bytes, static_cast<unsigned char>(character));
  return bytes;
}

}  // namespace virtual_lab
