#include "boards/virtual/dfuse_model.h"

#include <algorithm>
#include <utility>

namespace virtual_lab {
namespace {

using std::chrono::milliseconds;

constexpr std::uint8_t kCanDownload = 1;
constexpr std::uint8_t kCanUpload = 2;
constexpr std::uint8_t kWillDetach = 8;

// UM0424 chapter 10.3: the first byte of a download of block 0.
constexpr std::uint8_t kGetCommands = 0x00;
constexpr std::uint8_t kSetAddressPointer = 0x21;
constexpr std::uint8_t kErase = 0x41;
constexpr std::uint8_t kReadUnprotect = 0x92;
constexpr std::uint16_t kCommandBlock = 0;
constexpr std::uint16_t kFirstDataBlock = 2;

UsbDescriptors bootloader_descriptors(const FlashLayout& layout, const std::string& serial) {
  UsbDescriptors descriptors;
  descriptors.device =
      device_descriptor({.usb_version = 0x0100, .vendor_id = 0x0483, .product_id = 0xdf11, .device_version = 0x2200});
  Bytes interface { 9, 4, 0, 0, 0, 0xfe, 0x01, 0x02, 4 };
  const Bytes functional = dfu_functional_descriptor(kCanDownload | kCanUpload | kWillDetach, 0x011a);
  interface.insert(interface.end(), functional.begin(), functional.end());
  descriptors.configuration = configuration_descriptor({.interfaces = 1, .attributes = 0xc0}, interface);
  descriptors.strings = {"STMicroelectronics", "STM32  BOOTLOADER", serial, layout.text};
  return descriptors;
}

}  // namespace

Bytes dfu_functional_descriptor(std::uint8_t attributes, std::uint16_t dfu_version) {
  constexpr unsigned kDetachTimeoutMs = 255;
  Bytes bytes{9, 0x21, attributes};
  append_u16(bytes, kDetachTimeoutMs);
  append_u16(bytes, DfuseModel::kTransferSize);
  append_u16(bytes, dfu_version);
  return bytes;
}

DfuseModel::DfuseModel(FlashMemory& flash, const std::string& serial, MonotonicClock clock)
    : UsbDevice(bootloader_descriptors(flash.layout(), serial)),
      flash_(flash),
      clock_(std::move(clock)),
      pointer_(flash.layout().base) {}

void DfuseModel::bus_reset() {
  if (leaving_) return;
  state_ = DfuState::kIdle;
  status_ = DfuStatus::kOk;
}

std::optional<std::size_t> DfuseModel::class_request(const SetupPacket& setup, std::span<std::uint8_t> data) {
  constexpr std::uint8_t kToInterface = 0x21;
  constexpr std::uint8_t kFromInterface = 0xa1;
  const auto request = static_cast<DfuRequest>(setup.request);
  const bool asks =
      request == DfuRequest::kUpload || request == DfuRequest::kGetStatus || request == DfuRequest::kGetState;
  if (setup.request_type != (asks ? kFromInterface : kToInterface) || setup.index != 0) return std::nullopt;

  if (request == DfuRequest::kGetStatus) return report_status(data);
  if (request == DfuRequest::kGetState) return give(Bytes{static_cast<std::uint8_t>(state_)}, data);
  if (leaving_ || state_ == DfuState::kDnBusy || state_ == DfuState::kDnloadSync) return stall();
  switch (request) {
    case DfuRequest::kDnload:
      return download(setup, data);
    case DfuRequest::kUpload:
      return upload(setup, data);
    case DfuRequest::kClrStatus:
      state_ = DfuState::kIdle;
      status_ = DfuStatus::kOk;
      return 0;
    case DfuRequest::kAbort:
      if (state_ == DfuState::kError) return stall();
      state_ = DfuState::kIdle;
      return 0;
    default:
      return stall();
  }
}

std::optional<std::size_t> DfuseModel::download(const SetupPacket& setup, ByteView data) {
  if (state_ != DfuState::kIdle && state_ != DfuState::kDnloadIdle) return stall();
  if (data.size() > kTransferSize) return stall();
  if (data.empty()) {
    state_ = DfuState::kManifestSync;
    return 0;
  }
  if (setup.value != kCommandBlock && setup.value < kFirstDataBlock) return stall();
  block_ = setup.value;
  block_data_.assign(data.begin(), data.end());
  state_ = DfuState::kDnloadSync;
  return data.size();
}

std::optional<std::size_t> DfuseModel::upload(const SetupPacket& setup, std::span<std::uint8_t> data) {
  if (state_ != DfuState::kIdle && state_ != DfuState::kUploadIdle) return stall();
  if (setup.value == kCommandBlock) {
    state_ = DfuState::kIdle;
    return give(Bytes{kGetCommands, kSetAddressPointer, kErase, kReadUnprotect}, data);
  }
  const auto offset = flash_offset(block_address(setup.value));
  if (setup.value < kFirstDataBlock || data.size() > kTransferSize || !offset) {
    status_ = DfuStatus::kErrTarget;
    state_ = DfuState::kError;
    return std::nullopt;
  }
  const std::size_t size = std::min<std::size_t>(data.size(), flash_.layout().size - *offset);
  if (flash_.read(*offset, data.first(size)) != FlashResult::kDone) {
    status_ = DfuStatus::kErrTarget;
    state_ = DfuState::kError;
    return std::nullopt;
  }
  // A short block is the last one.
  state_ = size < data.size() ? DfuState::kIdle : DfuState::kUploadIdle;
  return size;
}

std::size_t DfuseModel::report_status(std::span<std::uint8_t> room) {
  milliseconds poll_timeout{0};
  if (state_ == DfuState::kDnloadSync) {
    poll_timeout = start_operation();
    busy_until_ = clock_() + poll_timeout;
    state_ = DfuState::kDnBusy;
  } else if (state_ == DfuState::kDnBusy) {
    const auto left = busy_until_ - clock_();
    if (left > left.zero()) {
      poll_timeout = std::chrono::ceil<milliseconds>(left);
    } else {
      state_ = status_ == DfuStatus::kOk ? DfuState::kDnloadIdle : DfuState::kError;
    }
  } else if (state_ == DfuState::kManifestSync) {
    state_ = DfuState::kManifest;
    leaving_ = true;
    // The jump goes to where the pointer stands. Only at the flash's start is there an image to jump to.
    emit({pointer_ == flash_.layout().base ? DeviceEvent::Kind::kStartImage : DeviceEvent::Kind::kRestart});
  }
  const auto poll = static_cast<std::uint32_t>(poll_timeout.count());
  return give(
      Bytes{static_cast<std::uint8_t>(status_), static_cast<std::uint8_t>(poll), static_cast<std::uint8_t>(poll >> 8),
            static_cast<std::uint8_t>(poll >> 16), static_cast<std::uint8_t>(state_), 0},
      room);
}

std::optional<std::size_t> DfuseModel::stall() {
  if (!leaving_) {
    status_ = DfuStatus::kErrStalledPacket;
    state_ = DfuState::kError;
  }
  return std::nullopt;
}

milliseconds DfuseModel::start_operation() {
  status_ = DfuStatus::kOk;
  return block_ == kCommandBlock ? run_command() : program_block();
}

milliseconds DfuseModel::run_command() {
  switch (block_data_[0]) {
    case kSetAddressPointer: {
      const std::uint32_t address = block_data_.size() == 5 ? read_u32(block_data_, 1) : 0;
      if (!flash_offset(address)) {
        status_ = DfuStatus::kErrTarget;
      } else {
        pointer_ = address;
      }
      return milliseconds(0);
    }
    case kErase:
      return erase_command();
    case kReadUnprotect:
      // AN3156 chapter 7: lifting the protection erases everything, and the chip resets.
      flash_.erase_all();
      leaving_ = true;
      emit({DeviceEvent::Kind::kRestart});
      return kSectorEraseTime * flash_.layout().sectors.size();
    default:
      status_ = DfuStatus::kErrStalledPacket;
      return milliseconds(0);
  }
}

milliseconds DfuseModel::erase_command() {
  if (block_data_.size() == 1) {
    flash_.erase_all();
    return kSectorEraseTime * flash_.layout().sectors.size();
  }
  const auto offset = block_data_.size() == 5 ? flash_offset(read_u32(block_data_, 1)) : std::nullopt;
  note(offset ? flash_.erase_sector_at(*offset) : FlashResult::kOutside);
  return kSectorEraseTime;
}

milliseconds DfuseModel::program_block() {
  const auto offset = flash_offset(block_address(block_));
  note(offset ? flash_.program(*offset, block_data_) : FlashResult::kOutside);
  return kProgramTime;
}

std::optional<std::uint32_t> DfuseModel::flash_offset(std::uint64_t address) const {
  const FlashLayout& layout = flash_.layout();
  if (address < layout.base || address - layout.base >= layout.size) return std::nullopt;
  return static_cast<std::uint32_t>(address - layout.base);
}

std::uint64_t DfuseModel::block_address(std::uint16_t block) const {
  return std::uint64_t{pointer_} + (std::uint64_t{block} - kFirstDataBlock) * kTransferSize;
}

void DfuseModel::note(FlashResult result) {
  if (result == FlashResult::kOutside) status_ = DfuStatus::kErrTarget;
  if (result == FlashResult::kNotErased) status_ = DfuStatus::kErrProg;
}

}  // namespace virtual_lab
