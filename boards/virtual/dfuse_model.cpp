#include "boards/virtual/dfuse_model.h"

#include <algorithm>
#include <utility>

namespace virtual_lab {
namespace {

using std::chrono::milliseconds;

constexpr std::uint8_t can_download = 1;
constexpr std::uint8_t can_upload = 2;
constexpr std::uint8_t will_detach = 8;

// UM0424 chapter 10.3: the first byte of a download of block 0.
constexpr std::uint8_t get_commands = 0x00;
constexpr std::uint8_t set_address_pointer = 0x21;
constexpr std::uint8_t erase = 0x41;
constexpr std::uint8_t read_unprotect = 0x92;
constexpr std::uint16_t command_block = 0;
constexpr std::uint16_t first_data_block = 2;

UsbDescriptors bootloader_descriptors(const FlashLayout& layout, const std::string& serial, UsbIds ids) {
  UsbDescriptors descriptors;
  descriptors.device = device_descriptor(
      {.usb_version = 0x0100, .vendor_id = ids.vendor, .product_id = ids.product, .device_version = 0x2200});
  Bytes interface { 9, 4, 0, 0, 0, 0xfe, 0x01, 0x02, 4 };
  const Bytes functional = dfu_functional_descriptor(can_download | can_upload | will_detach, 0x011a);
  interface.insert(interface.end(), functional.begin(), functional.end());
  descriptors.configuration = configuration_descriptor({.interfaces = 1, .attributes = 0xc0}, interface);
  descriptors.strings = {"STMicroelectronics", "STM32  BOOTLOADER", serial, layout.text};
  return descriptors;
}

}  // namespace

Bytes dfu_functional_descriptor(std::uint8_t attributes, std::uint16_t dfu_version) {
  constexpr unsigned detach_timeout_ms = 255;
  Bytes bytes{9, 0x21, attributes};
  append_u16(bytes, detach_timeout_ms);
  append_u16(bytes, DfuseModel::transfer_size);
  append_u16(bytes, dfu_version);
  return bytes;
}

DfuseModel::DfuseModel(FlashMemory& flash, const std::string& serial, MonotonicClock clock, UsbIds ids)
    : UsbDevice(bootloader_descriptors(flash.layout(), serial, ids)),
      flash_(flash),
      clock_(std::move(clock)),
      pointer_(flash.layout().base) {}

void DfuseModel::bus_reset() {
  if (leaving_) return;
  state_ = DfuState::idle;
  status_ = DfuStatus::ok;
}

std::optional<std::size_t> DfuseModel::class_request(const SetupPacket& setup, std::span<std::uint8_t> data) {
  constexpr std::uint8_t to_interface = 0x21;
  constexpr std::uint8_t from_interface = 0xa1;
  const auto request = static_cast<DfuRequest>(setup.request);
  const bool asks =
      request == DfuRequest::upload || request == DfuRequest::get_status || request == DfuRequest::get_state;
  if (setup.request_type != (asks ? from_interface : to_interface) || setup.index != 0) return std::nullopt;

  if (request == DfuRequest::get_status) return report_status(data);
  if (request == DfuRequest::get_state) return give(Bytes{static_cast<std::uint8_t>(state_)}, data);
  if (leaving_ || state_ == DfuState::dn_busy || state_ == DfuState::dnload_sync) return stall();
  switch (request) {
    case DfuRequest::dnload:
      return download(setup, data);
    case DfuRequest::upload:
      return upload(setup, data);
    case DfuRequest::clr_status:
      state_ = DfuState::idle;
      status_ = DfuStatus::ok;
      return 0;
    case DfuRequest::abort:
      if (state_ == DfuState::error) return stall();
      state_ = DfuState::idle;
      return 0;
    default:
      return stall();
  }
}

std::optional<std::size_t> DfuseModel::download(const SetupPacket& setup, ByteView data) {
  if (state_ != DfuState::idle && state_ != DfuState::dnload_idle) return stall();
  if (data.size() > transfer_size) return stall();
  if (data.empty()) {
    state_ = DfuState::manifest_sync;
    return 0;
  }
  if (setup.value != command_block && setup.value < first_data_block) return stall();
  block_ = setup.value;
  block_data_.assign(data.begin(), data.end());
  state_ = DfuState::dnload_sync;
  return data.size();
}

std::optional<std::size_t> DfuseModel::upload(const SetupPacket& setup, std::span<std::uint8_t> data) {
  if (state_ != DfuState::idle && state_ != DfuState::upload_idle) return stall();
  if (setup.value == command_block) {
    state_ = DfuState::idle;
    return give(Bytes{get_commands, set_address_pointer, erase, read_unprotect}, data);
  }
  const auto offset = flash_offset(block_address(setup.value));
  if (setup.value < first_data_block || data.size() > transfer_size || !offset) {
    status_ = DfuStatus::err_target;
    state_ = DfuState::error;
    return std::nullopt;
  }
  const std::size_t size = std::min<std::size_t>(data.size(), flash_.layout().size - *offset);
  if (flash_.read(*offset, data.first(size)) != FlashResult::done) {
    status_ = DfuStatus::err_target;
    state_ = DfuState::error;
    return std::nullopt;
  }
  // A short block is the last one.
  state_ = size < data.size() ? DfuState::idle : DfuState::upload_idle;
  return size;
}

std::size_t DfuseModel::report_status(std::span<std::uint8_t> room) {
  milliseconds poll_timeout{0};
  if (state_ == DfuState::dnload_sync) {
    poll_timeout = start_operation();
    busy_until_ = clock_() + poll_timeout;
    state_ = DfuState::dn_busy;
  } else if (state_ == DfuState::dn_busy) {
    const auto left = busy_until_ - clock_();
    if (left > left.zero()) {
      poll_timeout = std::chrono::ceil<milliseconds>(left);
    } else {
      state_ = status_ == DfuStatus::ok ? DfuState::dnload_idle : DfuState::error;
    }
  } else if (state_ == DfuState::manifest_sync) {
    state_ = DfuState::manifest;
    leaving_ = true;
    // The jump goes to where the pointer stands. Only at the flash's start is there an image to jump to.
    emit({pointer_ == flash_.layout().base ? DeviceEvent::Kind::start_image : DeviceEvent::Kind::restart});
  }
  const auto poll = static_cast<std::uint32_t>(poll_timeout.count());
  return give(
      Bytes{static_cast<std::uint8_t>(status_), static_cast<std::uint8_t>(poll), static_cast<std::uint8_t>(poll >> 8),
            static_cast<std::uint8_t>(poll >> 16), static_cast<std::uint8_t>(state_), 0},
      room);
}

std::optional<std::size_t> DfuseModel::stall() {
  if (!leaving_) {
    status_ = DfuStatus::err_stalled_packet;
    state_ = DfuState::error;
  }
  return std::nullopt;
}

milliseconds DfuseModel::start_operation() {
  status_ = DfuStatus::ok;
  return block_ == command_block ? run_command() : program_block();
}

milliseconds DfuseModel::run_command() {
  switch (block_data_[0]) {
    case set_address_pointer: {
      const std::uint32_t address = block_data_.size() == 5 ? read_u32(block_data_, 1) : 0;
      if (!flash_offset(address)) {
        status_ = DfuStatus::err_target;
      } else {
        pointer_ = address;
      }
      return milliseconds(0);
    }
    case erase:
      return erase_command();
    case read_unprotect:
      // AN3156 chapter 7: lifting the protection erases everything, and the chip resets.
      flash_.erase_all();
      leaving_ = true;
      emit({DeviceEvent::Kind::restart});
      return sector_erase_time * flash_.layout().sectors.size();
    default:
      status_ = DfuStatus::err_stalled_packet;
      return milliseconds(0);
  }
}

milliseconds DfuseModel::erase_command() {
  if (block_data_.size() == 1) {
    flash_.erase_all();
    return sector_erase_time * flash_.layout().sectors.size();
  }
  const auto offset = block_data_.size() == 5 ? flash_offset(read_u32(block_data_, 1)) : std::nullopt;
  note(offset ? flash_.erase_sector_at(*offset) : FlashResult::outside);
  return sector_erase_time;
}

milliseconds DfuseModel::program_block() {
  const auto offset = flash_offset(block_address(block_));
  note(offset ? flash_.program(*offset, block_data_) : FlashResult::outside);
  return program_time;
}

std::optional<std::uint32_t> DfuseModel::flash_offset(std::uint64_t address) const {
  const FlashLayout& layout = flash_.layout();
  if (address < layout.base || address - layout.base >= layout.size) return std::nullopt;
  return static_cast<std::uint32_t>(address - layout.base);
}

std::uint64_t DfuseModel::block_address(std::uint16_t block) const {
  return std::uint64_t{pointer_} + (std::uint64_t{block} - first_data_block) * transfer_size;
}

void DfuseModel::note(FlashResult result) {
  if (result == FlashResult::outside) status_ = DfuStatus::err_target;
  if (result == FlashResult::not_erased) status_ = DfuStatus::err_prog;
}

}  // namespace virtual_lab
