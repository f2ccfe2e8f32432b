#include "boards/virtual/cdc_model.h"

#include <algorithm>
#include <utility>

namespace virtual_lab {
namespace {

constexpr std::uint16_t control_interface = 0;
constexpr std::uint16_t way_down_interface = 2;

constexpr std::uint8_t class_to_interface = 0x21;
constexpr std::uint8_t class_from_interface = 0xa1;

// CDC PSTN 1.2, table 13.
constexpr std::uint8_t set_line_coding = 0x20;
constexpr std::uint8_t get_line_coding = 0x21;
constexpr std::uint8_t set_control_line_state = 0x22;
constexpr std::uint8_t send_break = 0x23;

UsbDescriptors application_descriptors(const std::string& serial, const ApplicationKind& kind) {
  UsbDescriptors descriptors;
  // Miscellaneous class with interface association (USB IAD ECN): several functions in one device.
  descriptors.device = device_descriptor({.class_code = 0xef,
                                          .subclass = 0x02,
                                          .protocol = 0x01,
                                          .vendor_id = kind.ids.vendor,
                                          .product_id = kind.ids.product,
                                          .device_version = 0x0200});
  Bytes parts{
      8,    0x0b, 0,
      2,    0x02, 0x02,
      0x01, 4,  // association: interfaces 0 and 1 are one CDC-ACM
      9,    4,    0,
      0,    1,    0x02,
      0x02, 0x01, 4,  // interface 0: communications
      5,    0x24, 0x00,
      0x10, 0x01,  // CDC header 1.10
      5,    0x24, 0x01,
      0x00, 0x01,  // call management: none; data on interface 1
      4,    0x24, 0x02,
      0x02,  // ACM: line coding and control line state
      5,    0x24, 0x06,
      0x00, 0x01,  // union of 0 and 1
      7,    5,    CdcModel::notification_in,
      0x03, 8,    0,
      16,  // interrupt in
      9,    4,    1,
      0,    2,    0x0a,
      0x00, 0x00, 0,  // interface 1: data
      7,    5,    CdcModel::data_out,
      0x02, 64,   0,
      0,  // bulk out
      7,    5,    CdcModel::data_in,
      0x02, 64,   0,
      0,  // bulk in
  };
  const bool has_dfu = kind.way_down == ApplicationKind::WayDown::dfu;
  if (has_dfu) {
    const unsigned attributes = dfu_can_download | dfu_can_upload | (kind.dfu.will_detach ? dfu_will_detach : 0U);
    const Bytes functional = dfu_functional_descriptor(static_cast<std::uint8_t>(attributes), kind.dfu.version);
    parts.insert(parts.end(), {9, 4, way_down_interface, 0, 0, 0xfe, 0x01, 0x01, 5});
    parts.insert(parts.end(), functional.begin(), functional.end());
  } else {
    parts.insert(parts.end(), {9, 4, way_down_interface, 0, 0, 0xff, 0x00, 0x01, 5});
  }
  descriptors.configuration = configuration_descriptor({.interfaces = 3, .attributes = 0x80}, parts);
  descriptors.strings = {"hilmark", "Virtual board", serial, "Console", has_dfu ? "DFU run-time" : "Reset"};
  return descriptors;
}

}  // namespace

CdcModel::CdcModel(const std::string& serial, const ApplicationKind& kind, MonotonicClock clock,
                   const TransferFaults& faults)
    : UsbDevice(application_descriptors(serial, kind)), kind_(kind), clock_(std::move(clock)), faults_(faults) {}

BulkStep CdcModel::bulk_out(std::uint8_t endpoint, ByteView data) {
  if (endpoint != data_out) return {Handshake::stall, 0};
  if (data.empty()) return {Handshake::ack, 0};
  const std::size_t size = std::min(data.size(), input_bytes - input_.size());
  if (size == 0) return {Handshake::nak, 0};
  if (struck_by(faults_)) return {Handshake::stall, 0};
  input_.insert(input_.end(), data.begin(), data.begin() + static_cast<std::ptrdiff_t>(size));
  emit({DeviceEvent::Kind::console_input});
  return {Handshake::ack, size};
}

BulkStep CdcModel::bulk_in(std::uint8_t endpoint, std::span<std::uint8_t> into) {
  if (endpoint == notification_in) return {Handshake::nak, 0};
  if (endpoint != data_in) return {Handshake::stall, 0};
  const std::size_t size = std::min(into.size(), output_.size());
  if (size == 0) return {Handshake::nak, 0};
  if (struck_by(faults_)) return {Handshake::stall, 0};
  const auto end = output_.begin() + static_cast<std::ptrdiff_t>(size);
  std::copy(output_.begin(), end, into.begin());
  output_.erase(output_.begin(), end);
  return {Handshake::ack, size};
}

void CdcModel::write_output(ByteView bytes) {
  output_.insert(output_.end(), bytes.begin(), bytes.end());
  if (output_.size() <= output_bytes) return;
  const std::size_t excess = output_.size() - output_bytes;
  output_.erase(output_.begin(), output_.begin() + static_cast<std::ptrdiff_t>(excess));
  dropped_output_bytes_ += excess;
}

void CdcModel::consume_input(std::size_t bytes) {
  input_.erase(input_.begin(), input_.begin() + static_cast<std::ptrdiff_t>(std::min(bytes, input_.size())));
}

std::optional<std::size_t> CdcModel::class_request(const SetupPacket& setup, std::span<std::uint8_t> data) {
  if (struck_by(faults_)) return std::nullopt;
  if (setup.index == control_interface) return console_request(setup, data);
  if (setup.index != way_down_interface) return std::nullopt;
  return kind_.way_down == ApplicationKind::WayDown::dfu ? dfu_request(setup, data) : reset_request(setup);
}

std::optional<std::size_t> CdcModel::console_request(const SetupPacket& setup, std::span<std::uint8_t> data) {
  if (setup.request_type == class_from_interface && setup.request == get_line_coding) return give(line_coding_, data);
  if (setup.request_type != class_to_interface) return std::nullopt;
  if (setup.request == set_line_coding && data.size() == line_coding_.size()) {
    std::copy(data.begin(), data.end(), line_coding_.begin());
    constexpr std::uint32_t baud_for_bootloader = 1200;
    if (kind_.way_down == ApplicationKind::WayDown::reset_interface &&
        read_u32(line_coding_, 0) == baud_for_bootloader) {
      leave_for_bootloader();
    }
    return data.size();
  }
  if (setup.request == set_control_line_state || setup.request == send_break) return 0;
  return std::nullopt;
}

std::optional<std::size_t> CdcModel::dfu_request(const SetupPacket& setup, std::span<std::uint8_t> data) {
  const auto request = static_cast<DfuRequest>(setup.request);
  const auto state = static_cast<std::uint8_t>(detaching() ? DfuState::app_detach : DfuState::app_idle);
  if (setup.request_type == class_from_interface && request == DfuRequest::get_status) {
    return give(Bytes{0, 0, 0, 0, state, 0}, data);
  }
  if (setup.request_type == class_from_interface && request == DfuRequest::get_state) return give(Bytes{state}, data);
  if (setup.request_type != class_to_interface || request != DfuRequest::detach) return std::nullopt;
  if (!kind_.dfu.will_detach) {
    detach_until_ = clock_() + std::min(std::chrono::milliseconds(setup.value), dfu_detach_timeout);
  } else {
    leave_for_bootloader();
  }
  return 0;
}

bool CdcModel::detaching() const { return detached_ || clock_() < detach_until_; }

void CdcModel::bus_reset() {
  if (detaching()) leave_for_bootloader(DeviceEvent::Kind::bus_reset);
}

std::optional<std::size_t> CdcModel::reset_request(const SetupPacket& setup) {
  constexpr std::uint8_t to_bootsel = 1;
  constexpr std::uint8_t to_flash = 2;
  if (setup.request_type != class_to_interface) return std::nullopt;
  if (setup.request == to_bootsel) {
    leave_for_bootloader();
    return 0;
  }
  if (setup.request != to_flash) return std::nullopt;
  emit({DeviceEvent::Kind::restart});
  return 0;
}

void CdcModel::leave_for_bootloader(DeviceEvent::Kind event) {
  if (!std::exchange(detached_, true)) emit({event});
}

}  // namespace virtual_lab
