#include "boards/virtual/picoboot_model.h"

#include <algorithm>
#include <utility>

namespace virtual_lab {
namespace {

constexpr std::uint32_t command_magic = 0x431fd10b;
constexpr std::size_t command_bytes = 32;
constexpr std::size_t status_bytes = 16;

constexpr std::uint8_t exclusive_access = 0x01;
constexpr std::uint8_t reboot_rp2040 = 0x02;
constexpr std::uint8_t flash_erase = 0x03;
constexpr std::uint8_t flash_write = 0x05;
constexpr std::uint8_t exit_xip = 0x06;
constexpr std::uint8_t enter_xip = 0x07;
constexpr std::uint8_t reboot_rp2350 = 0x0a;
constexpr std::uint8_t flash_read = 0x84;

constexpr std::uint8_t interface_reset = 0x41;
constexpr std::uint8_t get_command_status = 0x42;

/// What a device of USB 2.1 must have: a BOS descriptor with the USB 2.0 extension, without link power management (USB
/// 2.0 ECN: Link Power Management, chapters 3 and 4).
const Bytes usb2_extension_alone{5, 0x0f, 12, 0, 1, 7, 0x10, 0x02, 0, 0, 0, 0};

UsbDescriptors bootsel_descriptors(PicobootModel::Chip chip, UsbIds ids, const std::string& serial) {
  const bool newer = chip == PicobootModel::Chip::rp2350;
  UsbDescriptors descriptors;
  descriptors.device = device_descriptor({.usb_version = static_cast<std::uint16_t>(newer ? 0x0210 : 0x0110),
                                          .vendor_id = ids.vendor,
                                          .product_id = ids.product,
                                          .device_version = 0x0100});
  Bytes parts;
  const auto add = [&](const Bytes& part) { parts.insert(parts.end(), part.begin(), part.end()); };
  const auto add_bulk = [&](std::uint8_t endpoint) { add({7, 5, endpoint, 0x02, 64, 0, 0}); };
  add({9, 4, 0, 0, 2, 0x08, 0x06, 0x50, 0});  // mass storage: SCSI, bulk only
  add_bulk(PicobootModel::storage_in);
  add_bulk(PicobootModel::storage_out);
  add({9, 4, PicobootModel::interface_number, 0, 2, 0xff, 0, 0, 0});
  add_bulk(PicobootModel::command_out);
  add_bulk(PicobootModel::command_in);
  descriptors.configuration = configuration_descriptor({.interfaces = 2, .attributes = 0x80}, parts);
  if (newer) descriptors.bos = usb2_extension_alone;
  descriptors.strings = {"Raspberry Pi", newer ? "RP2350 Boot" : "RP2 Boot", serial};
  return descriptors;
}

// How many bytes of arguments a command has; nothing if the chip has no such command.
std::optional<std::uint8_t> argument_bytes_of(std::uint8_t id, PicobootModel::Chip chip) {
  const bool newer = chip == PicobootModel::Chip::rp2350;
  switch (id) {
    case exclusive_access:
      return 1;
    case flash_erase:
    case flash_write:
    case flash_read:
      return 8;
    case exit_xip:
    case enter_xip:
      return 0;
    case reboot_rp2040:
      return newer ? std::nullopt : std::optional<std::uint8_t>(12);
    case reboot_rp2350:
      return newer ? std::optional<std::uint8_t>(16) : std::nullopt;
    default:
      return std::nullopt;
  }
}

bool moves_data(std::uint8_t id) { return id == flash_write || id == flash_read; }

}  // namespace

PicobootModel::PicobootModel(FlashMemory& flash, const std::string& serial, Chip chip, UsbIds ids, Faults faults,
                             MonotonicClock clock)
    : UsbDevice(bootsel_descriptors(chip, ids, serial)),
      flash_(flash),
      chip_(chip),
      faults_(std::move(faults)),
      clock_(std::move(clock)) {}

void PicobootModel::reset() {
  stage_ = Stage::command;
  command_ = {};
  status_ = PicobootStatus::ok;
  in_progress_ = halted_ = exclusive_ = false;
  left_ = 0;
  page_.clear();
}

std::optional<std::size_t> PicobootModel::class_request(const SetupPacket& setup, std::span<std::uint8_t> data) {
  constexpr std::uint8_t vendor_to_interface = 0x41;
  constexpr std::uint8_t vendor_from_interface = 0xc1;
  if (setup.index != interface_number || struck_by(faults_.bootloader)) return std::nullopt;
  if (setup.request_type == vendor_to_interface && setup.request == interface_reset) {
    reset();
    return 0;
  }
  if (setup.request_type == vendor_from_interface && setup.request == get_command_status &&
      data.size() == status_bytes) {
    Bytes answer;
    append_u32(answer, command_.token);
    append_u32(answer, static_cast<std::uint32_t>(status_));
    answer.insert(answer.end(), {command_.id, static_cast<std::uint8_t>(in_progress_)});
    answer.resize(status_bytes);
    return give(answer, data);
  }
  return std::nullopt;
}

BulkStep PicobootModel::bulk_out(std::uint8_t endpoint, ByteView data) {
  if (endpoint != command_out || halted_) return {Handshake::stall, 0};
  const bool awaits = stage_ != Stage::data_in && stage_ != Stage::ack_in;
  if (awaits && struck_by(faults_.bootloader)) return {Handshake::stall, 0};
  switch (stage_) {
    case Stage::command:
      begin(data);
      return {Handshake::ack, data.size()};  // it was received, whatever comes of it
    case Stage::data_out: {
      const PicobootStatus allowed = check_flash(address_, left_, page_bytes);
      if (allowed != PicobootStatus::ok) return refuse(allowed);
      return {Handshake::ack, take(data)};
    }
    case Stage::ack_out:
      if (data.size() > 1) return refuse(PicobootStatus::unknown_error);
      acknowledge();
      return {Handshake::ack, data.size()};
    default:
      return {Handshake::nak, 0};
  }
}

BulkStep PicobootModel::bulk_in(std::uint8_t endpoint, std::span<std::uint8_t> into) {
  if (endpoint != command_in || halted_) return {Handshake::stall, 0};
  const bool gives = stage_ == Stage::data_in || stage_ == Stage::ack_in;
  if (!gives || busy()) return {Handshake::nak, 0};
  if (struck_by(faults_.bootloader)) return {Handshake::stall, 0};
  if (stage_ == Stage::data_in) return give_data(into);
  acknowledge();
  return {Handshake::ack, 0};
}

void PicobootModel::begin(ByteView packet) {
  if (packet.size() != command_bytes || read_u32(packet, 0) != command_magic) {
    halted_ = true;  // the status stays that of the command before
    return;
  }
  command_ = {read_u32(packet, 4), packet[8], packet[9], read_u32(packet, 12),
              Bytes(packet.begin() + 16, packet.end())};
  in_progress_ = true;
  ++commands_;
  status_ = check(command_);
  for (const Faults::StatusAt& fault : faults_.picoboot_status_at) {
    if (fault.at == commands_) status_ = static_cast<PicobootStatus>(fault.status);
  }
  if (status_ == PicobootStatus::ok && moves_data(command_.id) && command_.transfer_bytes > 0) {
    address_ = read_u32(command_.arguments, 0);
    left_ = command_.transfer_bytes;
    if (command_.id == flash_read && faults_.short_upload == commands_) left_ /= 2;
    stage_ = command_.id == flash_read ? Stage::data_in : Stage::data_out;
    return;
  }
  if (status_ == PicobootStatus::ok) status_ = run(command_);
  if (command_.id == flash_erase) busy_until_ = clock_() + faults_.busy;
  if (status_ != PicobootStatus::ok) {
    (void)refuse(status_);
    return;
  }
  stage_ = command_.id == flash_read ? Stage::ack_out : Stage::ack_in;
}

PicobootStatus PicobootModel::check(const Command& command) const {
  const auto argument_bytes = argument_bytes_of(command.id, chip_);
  if (!argument_bytes) return PicobootStatus::unknown_command;
  if (rebooting_) return PicobootStatus::rebooting;
  if (command.argument_bytes != *argument_bytes) return PicobootStatus::invalid_command_length;
  const std::uint32_t expected = moves_data(command.id) ? read_u32(command.arguments, 4) : 0;
  return command.transfer_bytes == expected ? PicobootStatus::ok : PicobootStatus::invalid_transfer_length;
}

PicobootStatus PicobootModel::run(const Command& command) {
  switch (command.id) {
    case exclusive_access: {
      constexpr std::uint8_t and_eject = 2;
      if (command.arguments[0] > and_eject) {
        return chip_ == Chip::rp2350 ? PicobootStatus::invalid_argument : PicobootStatus::unknown_error;
      }
      exclusive_ = command.arguments[0] != 0;
      return PicobootStatus::ok;
    }
    case flash_erase:
      return erase(read_u32(command.arguments, 0), read_u32(command.arguments, 4));
    case enter_xip:
    case exit_xip:
      mapped_ = command.id == enter_xip;
      return PicobootStatus::ok;
    case reboot_rp2040:
    case reboot_rp2350:
      return reboot(command);
    default:
      return PicobootStatus::ok;  // of no data
  }
}

PicobootStatus PicobootModel::reboot(const Command& command) {
  // A program counter, or flags, would lead elsewhere than to the flash; there is nothing else here.
  if (read_u32(command.arguments, 0) != 0) return PicobootStatus::unknown_error;
  rebooting_ = true;
  emit({DeviceEvent::Kind::restart});
  return PicobootStatus::ok;
}

PicobootStatus PicobootModel::erase(std::uint32_t address, std::uint32_t size) {
  const PicobootStatus allowed = check_flash(address, size, sector_bytes);
  if (allowed != PicobootStatus::ok) return allowed;
  if (size % sector_bytes != 0) return PicobootStatus::bad_alignment;
  for (std::uint32_t done = 0; done < size; done += sector_bytes) {
    if (flash_.erase_sector_at(address - flash_.layout().base + done) != FlashResult::done) {
      return PicobootStatus::invalid_address;
    }
  }
  return PicobootStatus::ok;
}

PicobootStatus PicobootModel::check_flash(std::uint32_t address, std::uint32_t size, std::uint32_t alignment) const {
  const FlashLayout& layout = flash_.layout();
  if (address < layout.base || address - layout.base > layout.size || size > layout.size - (address - layout.base)) {
    return PicobootStatus::invalid_address;
  }
  if (address % alignment != 0) return PicobootStatus::bad_alignment;
  return mapped_ ? PicobootStatus::unknown_error : PicobootStatus::ok;
}

std::size_t PicobootModel::take(ByteView data) {
  const std::size_t room = std::min<std::size_t>(left_, page_bytes - page_.size());
  const std::size_t size = std::min(data.size(), room);
  page_.insert(page_.end(), data.begin(), data.begin() + static_cast<std::ptrdiff_t>(size));
  left_ -= static_cast<std::uint32_t>(size);
  if (page_.size() == page_bytes || left_ == 0) program_page();
  if (left_ == 0) stage_ = Stage::ack_in;
  return size;
}

void PicobootModel::program_page() {
  // The last page is filled with zeros. Whether the cells took it, the ROM does not look.
  page_.resize(page_bytes, 0);
  busy_until_ = clock_() + faults_.busy;
  (void)flash_.program(address_ - flash_.layout().base, page_);
  address_ += page_bytes;
  page_.clear();
}

BulkStep PicobootModel::give_data(std::span<std::uint8_t> into) {
  const PicobootStatus allowed = check_flash(address_, left_, 1);
  if (allowed != PicobootStatus::ok) return refuse(allowed);
  const auto size = static_cast<std::uint32_t>(std::min<std::size_t>(into.size(), left_));
  if (flash_.read(address_ - flash_.layout().base, into.first(size)) != FlashResult::done) {
    return refuse(PicobootStatus::invalid_address);
  }
  if (faults_.corrupt_flash && *faults_.corrupt_flash >= address_ && *faults_.corrupt_flash - address_ < size) {
    into[*faults_.corrupt_flash - address_] ^= 1;
  }
  address_ += size;
  left_ -= size;
  if (left_ == 0) stage_ = Stage::ack_out;
  return {Handshake::ack, size};
}

bool PicobootModel::busy() {
  const auto left = busy_until_ - clock_();
  if (stage_ != Stage::ack_in || left <= left.zero()) return false;
  emit({.kind = DeviceEvent::Kind::retry, .delay = std::chrono::ceil<std::chrono::milliseconds>(left)});
  return true;
}

void PicobootModel::acknowledge() {
  in_progress_ = false;
  stage_ = Stage::command;
}

BulkStep PicobootModel::refuse(PicobootStatus status) {
  status_ = status;
  in_progress_ = false;
  halted_ = true;
  stage_ = Stage::command;
  page_.clear();
  return {Handshake::stall, 0};
}

}  // namespace virtual_lab
