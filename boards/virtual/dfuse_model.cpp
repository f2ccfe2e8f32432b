#include "boards/virtual/dfuse_model.h"

#include <utility>

namespace virtual_lab {
namespace {

using std::chrono::milliseconds;

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
  const Bytes functional = dfu_functional_descriptor(dfu_can_download | dfu_can_upload | dfu_will_detach, 0x011a);
  interface.insert(interface.end(), functional.begin(), functional.end());
  descriptors.configuration = configuration_descriptor({.interfaces = 1, .attributes = 0xc0}, interface);
  descriptors.strings = {"STMicroelectronics", "STM32  BOOTLOADER", serial, layout.text};
  return descriptors;
}

}  // namespace

DfuseModel::DfuseModel(FlashMemory& flash, const std::string& serial, MonotonicClock clock, Faults faults, UsbIds ids)
    : DfuBootloader(bootloader_descriptors(flash.layout(), serial, ids), flash, std::move(clock), std::move(faults)),
      pointer_(flash.layout().base) {}

void DfuseModel::bus_reset() {
  if (!leaving()) clear();
}

std::optional<std::size_t> DfuseModel::download(const SetupPacket& setup, ByteView data) {
  if (data.size() > transfer_size) return stall();
  if (data.empty()) {
    enter(DfuState::manifest_sync);
    return 0;
  }
  if (setup.value != command_block && setup.value < first_data_block) return stall();
  accept(setup.value, data);
  return data.size();
}

std::optional<std::size_t> DfuseModel::upload(const SetupPacket& setup, std::span<std::uint8_t> data) {
  if (setup.value == command_block) {
    enter(DfuState::idle);
    return give(Bytes{get_commands, set_address_pointer, erase, read_unprotect}, data);
  }
  const auto offset = flash_offset(block_address(setup.value));
  if (setup.value < first_data_block || data.size() > transfer_size || !offset) return stall(DfuStatus::err_target);
  return read_block(*offset, setup.value, data);
}

milliseconds DfuseModel::manifest() {
  if (!leaving()) {
    enter(DfuState::manifest);
    // The jump goes to where the pointer stands. Only at the flash's start is there an image to jump to.
    leave(pointer_ == layout().base ? DeviceEvent::Kind::start_image : DeviceEvent::Kind::restart);
  }
  return milliseconds(0);
}

milliseconds DfuseModel::start_operation() { return block() == command_block ? run_command() : program_block(); }

milliseconds DfuseModel::run_command() {
  switch (block_data()[0]) {
    case set_address_pointer: {
      const std::uint32_t address = block_data().size() == 5 ? read_u32(block_data(), 1) : 0;
      if (!flash_offset(address)) {
        fail_with(DfuStatus::err_target);
      } else {
        pointer_ = address;
      }
      return milliseconds(0);
    }
    case erase:
      return erase_command();
    case read_unprotect:
      // AN3156 chapter 7: lifting the protection erases everything, and the chip resets.
      flash().erase_all();
      leave(DeviceEvent::Kind::restart);
      return sector_erase_time * layout().sectors.size();
    default:
      fail_with(DfuStatus::err_stalled_packet);
      return milliseconds(0);
  }
}

milliseconds DfuseModel::erase_command() {
  if (block_data().size() == 1) {
    flash().erase_all();
    return sector_erase_time * layout().sectors.size();
  }
  const auto offset = block_data().size() == 5 ? flash_offset(read_u32(block_data(), 1)) : std::nullopt;
  note(offset ? flash().erase_sector_at(*offset) : FlashResult::outside);
  return sector_erase_time;
}

milliseconds DfuseModel::program_block() {
  const auto offset = flash_offset(block_address(block()));
  note(offset ? flash().program(*offset, block_data()) : FlashResult::outside);
  return program_time;
}

std::optional<std::uint32_t> DfuseModel::flash_offset(std::uint64_t address) const {
  if (address < layout().base || address - layout().base >= layout().size) return std::nullopt;
  return static_cast<std::uint32_t>(address - layout().base);
}

std::uint64_t DfuseModel::block_address(std::uint16_t block) const {
  return std::uint64_t{pointer_} + (std::uint64_t{block} - first_data_block) * transfer_size;
}

}  // namespace virtual_lab
