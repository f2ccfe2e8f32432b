#include "drivers/picoboot/picoboot_protocol.h"

#include <algorithm>

namespace hilmark {
namespace {

constexpr std::uint32_t command_magic = 0x431fd10b;
constexpr std::size_t command_bytes = 32;
constexpr std::size_t max_argument_bytes = 16;

}  // namespace

std::optional<PicobootChip> picoboot_chip_of(const UsbId& bootloader) {
  if (bootloader == UsbId{0x2e8a, 0x0003}) return PicobootChip::rp2040;
  if (bootloader == UsbId{0x2e8a, 0x000f}) return PicobootChip::rp2350;
  return std::nullopt;
}

Bytes to_bytes(const PicobootCommand& command) {
  const std::size_t argument_bytes = std::min(command.arguments.size(), max_argument_bytes);
  Bytes bytes;
  bytes.reserve(command_bytes);
  append_u32(bytes, command_magic);
  append_u32(bytes, command.token);
  bytes.insert(bytes.end(), {static_cast<std::uint8_t>(command.id), static_cast<std::uint8_t>(argument_bytes), 0, 0});
  append_u32(bytes, command.transfer_bytes);
  bytes.insert(bytes.end(), command.arguments.begin(),
               command.arguments.begin() + static_cast<std::ptrdiff_t>(argument_bytes));
  bytes.resize(command_bytes);
  return bytes;
}

std::optional<PicobootStatus> parse_picoboot_status(ByteView bytes) {
  if (bytes.size() != picoboot_status_bytes) return std::nullopt;
  return PicobootStatus{u32_at(bytes, 0), u32_at(bytes, 4), bytes[8], bytes[9] != 0};
}

std::string_view picoboot_status_name(std::uint32_t code) {
  static constexpr std::array<std::string_view, 18> names{
      "ok",
      "unknown command",
      "invalid command length",
      "invalid transfer length",
      "invalid address",
      "bad alignment",
      "interleaved write",
      "rebooting",
      "unknown error",
      "invalid state",
      "not permitted",
      "invalid argument",
      "buffer too small",
      "precondition not met",
      "modified data",
      "invalid data",
      "not found",
      "unsupported modification",
  };
  return code < names.size() ? names[code] : "a status that no datasheet names";
}

}  // namespace hilmark
