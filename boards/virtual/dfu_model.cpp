#include "boards/virtual/dfu_model.h"

#include <utility>

namespace virtual_lab {
namespace {

using std::chrono::milliseconds;

UsbDescriptors bootloader_descriptors(const std::string& serial, const DfuManners& manners) {
  UsbDescriptors descriptors;
  descriptors.device =
      device_descriptor({.vendor_id = manners.ids.vendor, .product_id = manners.ids.product, .device_version = 0x0110});
  Bytes interface { 9, 4, 0, 0, 0, 0xfe, 0x01, 0x02, 4 };
  unsigned attributes = dfu_can_download | dfu_will_detach;
  if (manners.can_upload) attributes |= dfu_can_upload;
  if (manners.manifestation_tolerant) attributes |= dfu_manifestation_tolerant;
  const Bytes functional = dfu_functional_descriptor(static_cast<std::uint8_t>(attributes), 0x0110);
  interface.insert(interface.end(), functional.begin(), functional.end());
  descriptors.configuration = configuration_descriptor({.interfaces = 1}, interface);
  descriptors.strings = {"hilmark", "Virtual bootloader", serial, "Firmware"};
  return descriptors;
}

}  // namespace

DfuModel::DfuModel(FlashMemory& flash, const std::string& serial, MonotonicClock clock, const DfuManners& manners,
                   Faults faults)
    : DfuBootloader(bootloader_descriptors(serial, manners), flash, std::move(clock), std::move(faults)),
      manners_(manners) {}

void DfuModel::bus_reset() {
  if (configured() && !leaving()) leave(DeviceEvent::Kind::bus_reset);
}

std::optional<std::size_t> DfuModel::download(const SetupPacket& setup, ByteView data) {
  const bool begins = state() == DfuState::idle;
  if (data.size() > transfer_size || (begins && data.empty())) return stall();
  if (data.empty()) {
    enter(DfuState::manifest_sync);
    return 0;
  }
  if (begins) next_block_ = 0;
  if (setup.value != next_block_) return stall(DfuStatus::err_address);
  if (begins) offset_ = erased_to_ = 0;
  ++next_block_;
  accept(setup.value, data);
  return data.size();
}

milliseconds DfuModel::start_operation() {
  milliseconds duration = program_time;
  const std::uint64_t end = std::uint64_t{offset_} + block_data().size();
  if (end > layout().size) {
    fail_with(DfuStatus::err_address);
    return duration;
  }
  for (const FlashSector& sector : layout().sectors) {
    if (sector.offset < erased_to_ || sector.offset >= end) continue;
    note(flash().erase_sector_at(sector.offset));
    erased_to_ = sector.offset + sector.size;
    duration += sector_erase_time;
  }
  if (status() == DfuStatus::ok) note(flash().program(offset_, block_data()));
  offset_ = static_cast<std::uint32_t>(end);
  return duration;
}

std::optional<std::size_t> DfuModel::upload(const SetupPacket& setup, std::span<std::uint8_t> data) {
  if (!manners_.can_upload || data.size() > transfer_size) return stall();
  const bool begins = state() == DfuState::idle;
  if (setup.value != (begins ? 0 : next_block_)) return stall(DfuStatus::err_address);
  if (begins) offset_ = 0;
  const auto size = read_block(offset_, setup.value, data);
  if (!size) return size;
  next_block_ = static_cast<std::uint16_t>(setup.value + 1);
  offset_ += static_cast<std::uint32_t>(*size);
  return size;
}

milliseconds DfuModel::manifest() {
  if (state() == DfuState::manifest_wait_reset) return milliseconds(0);
  if (state() == DfuState::manifest_sync) {
    manifested_at_ = now() + manifestation_time;
    enter(DfuState::manifest);
  }
  const auto left = manifested_at_ - now();
  if (left > left.zero()) return std::chrono::ceil<milliseconds>(left);
  // Appendix A leaves it open whether it still answers then; dfu-util 0.11 asks, and fails if it does not.
  enter(manners_.manifestation_tolerant ? DfuState::idle : DfuState::manifest_wait_reset);
  return milliseconds(0);
}

}  // namespace virtual_lab
