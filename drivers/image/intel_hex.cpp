#include "drivers/image/intel_hex.h"

#include <algorithm>
#include <array>

namespace hilmark {
namespace {

constexpr std::uint8_t data_record = 0;
constexpr std::uint8_t end_record = 1;
constexpr std::uint8_t upper_address_record = 4;

void append_record(std::string& text, std::uint8_t type, std::uint16_t offset, ByteView data) {
  Bytes record{static_cast<std::uint8_t>(data.size()), static_cast<std::uint8_t>(offset >> 8),
               static_cast<std::uint8_t>(offset), type};
  record.insert(record.end(), data.begin(), data.end());
  std::uint8_t sum = 0;
  for (const std::uint8_t octet : record) sum = static_cast<std::uint8_t>(sum + octet);
  record.push_back(static_cast<std::uint8_t>(-sum));
  std::string digits = to_hex(record);
  std::transform(digits.begin(), digits.end(), digits.begin(),
                 [](unsigned char digit) { return static_cast<char>(std::toupper(digit)); });
  text += ":" + digits + "\n";
}

}  // namespace

std::string intel_hex(std::uint32_t address, ByteView content) {
  constexpr std::size_t record_bytes = 32;
  constexpr std::uint32_t segment_bytes = 0x10000;
  std::string text;
  std::uint32_t upper = 0;
  for (std::size_t at = 0; at < content.size();) {
    const auto here = static_cast<std::uint32_t>(address + at);
    if (here >> 16 != upper) {
      upper = here >> 16;
      const std::array<std::uint8_t, 2> halves{static_cast<std::uint8_t>(upper >> 8), static_cast<std::uint8_t>(upper)};
      append_record(text, upper_address_record, 0, halves);
    }
    // No record crosses into the next 64 KiB, where its offset would begin anew.
    const std::size_t room = segment_bytes - here % segment_bytes;
    const std::size_t length = std::min({record_bytes, room, content.size() - at});
    append_record(text, data_record, static_cast<std::uint16_t>(here), content.subspan(at, length));
    at += length;
  }
  append_record(text, end_record, 0, {});
  return text;
}

}  // namespace hilmark
