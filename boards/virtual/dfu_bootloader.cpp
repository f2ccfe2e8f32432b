#include "boards/virtual/dfu_bootloader.h"

#include <algorithm>
#include <utility>

namespace virtual_lab {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds lie{1};

}  // namespace

Bytes dfu_functional_descriptor(std::uint8_t attributes, std::uint16_t dfu_version) {
  Bytes bytes{9, 0x21, attributes};
  append_u16(bytes, static_cast<unsigned>(dfu_detach_timeout.count()));
  append_u16(bytes, DfuBootloader::transfer_size);
  append_u16(bytes, dfu_version);
  return bytes;
}

DfuBootloader::DfuBootloader(UsbDescriptors descriptors, FlashMemory& flash, MonotonicClock clock, Faults faults)
    : UsbDevice(std::move(descriptors)), flash_(flash), clock_(std::move(clock)), faults_(std::move(faults)) {}

std::optional<std::size_t> DfuBootloader::class_request(const SetupPacket& setup, std::span<std::uint8_t> data) {
  constexpr std::uint8_t to_interface = 0x21;
  constexpr std::uint8_t from_interface = 0xa1;
  const auto request = static_cast<DfuRequest>(setup.request);
  const bool asks =
      request == DfuRequest::upload || request == DfuRequest::get_status || request == DfuRequest::get_state;
  if (setup.request_type != (asks ? from_interface : to_interface) || setup.index != 0) return std::nullopt;

  if (struck_by(faults_.bootloader)) return stall();
  const bool busy = state_ == DfuState::dn_busy || state_ == DfuState::manifest;
  if (busy && insists_on_poll_time() && clock_() < quiet_until_) return stall();
  if (request == DfuRequest::get_status) return report_status(data);
  if (request == DfuRequest::get_state) return give(Bytes{static_cast<std::uint8_t>(state_)}, data);
  const bool may_ask = state_ == DfuState::idle || state_ == DfuState::dnload_idle || state_ == DfuState::upload_idle ||
                       state_ == DfuState::error;
  if (leaving_ || !may_ask) return stall();
  switch (request) {
    case DfuRequest::dnload:
      return state_ == DfuState::idle || state_ == DfuState::dnload_idle ? download(setup, data) : stall();
    case DfuRequest::upload:
      return state_ == DfuState::idle || state_ == DfuState::upload_idle ? upload(setup, data) : stall();
    case DfuRequest::clr_status:
      if (state_ != DfuState::error) return stall();
      clear();
      return 0;
    case DfuRequest::abort:
      if (state_ == DfuState::error) return stall();
      state_ = DfuState::idle;
      return 0;
    default:
      return stall();
  }
}

std::size_t DfuBootloader::report_status(std::span<std::uint8_t> room) {
  const milliseconds needed = poll();
  const milliseconds told = faults_.lies_about_poll_time ? std::min(needed, lie) : needed;
  quiet_until_ = clock_() + told;
  const auto poll_ms = static_cast<std::uint32_t>(told.count());
  return give(Bytes{static_cast<std::uint8_t>(status_), static_cast<std::uint8_t>(poll_ms),
                    static_cast<std::uint8_t>(poll_ms >> 8), static_cast<std::uint8_t>(poll_ms >> 16),
                    static_cast<std::uint8_t>(state_), 0},
              room);
}

milliseconds DfuBootloader::poll() {
  switch (state_) {
    case DfuState::dnload_sync: {
      const milliseconds duration = begin_operation();
      busy_until_ = clock_() + duration;
      state_ = DfuState::dn_busy;
      return duration;
    }
    case DfuState::dn_busy: {
      const auto left = busy_until_ - clock_();
      if (left > left.zero()) return std::chrono::ceil<milliseconds>(left);
      state_ = status_ == DfuStatus::ok ? DfuState::dnload_idle : DfuState::error;
      return milliseconds(0);
    }
    case DfuState::manifest_sync:
    case DfuState::manifest:
    case DfuState::manifest_wait_reset:
      return manifest();
    default:
      return milliseconds(0);
  }
}

milliseconds DfuBootloader::begin_operation() {
  status_ = DfuStatus::ok;
  const milliseconds duration = start_operation() + faults_.busy;
  for (const Faults::StatusAt& fault : faults_.dfu_status_at) {
    if (fault.at == block_) status_ = static_cast<DfuStatus>(fault.status);
  }
  return duration;
}

std::optional<std::size_t> DfuBootloader::stall(DfuStatus status) {
  if (!leaving_ && state_ != DfuState::manifest_wait_reset) {
    status_ = status;
    state_ = DfuState::error;
  }
  return std::nullopt;
}

void DfuBootloader::clear() {
  state_ = DfuState::idle;
  status_ = DfuStatus::ok;
}

void DfuBootloader::leave(DeviceEvent::Kind event) {
  leaving_ = true;
  emit({event});
}

void DfuBootloader::accept(std::uint16_t block, ByteView data) {
  block_ = block;
  block_data_.assign(data.begin(), data.end());
  state_ = DfuState::dnload_sync;
}

std::optional<std::size_t> DfuBootloader::read_block(std::uint32_t offset, std::uint16_t block,
                                                     std::span<std::uint8_t> into) {
  std::size_t size = std::min<std::size_t>(into.size(), layout().size - offset);
  if (faults_.short_upload == block) size /= 2;
  if (flash_.read(offset, into.first(size)) != FlashResult::done) return stall(DfuStatus::err_target);
  if (faults_.corrupt_flash) {
    const std::uint64_t at = std::uint64_t{*faults_.corrupt_flash} - layout().base;
    if (at >= offset && at - offset < size) into[at - offset] ^= 1;
  }
  // A short block is the last one.
  state_ = size < into.size() ? DfuState::idle : DfuState::upload_idle;
  return size;
}

void DfuBootloader::note(FlashResult result) {
  if (result == FlashResult::outside) status_ = DfuStatus::err_target;
  if (result == FlashResult::not_erased) status_ = DfuStatus::err_prog;
}

}  // namespace virtual_lab
