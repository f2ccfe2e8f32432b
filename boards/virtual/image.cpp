#include "boards/virtual/image.h"

#include <algorithm>

#include <fmt/format.h>
#include <zlib.h>

namespace virtual_lab {
namespace {

constexpr std::size_t header_bytes = 96;
constexpr std::size_t trailer_bytes = 64;
constexpr std::string_view header_magic = "HMIMAGE1";
constexpr std::string_view trailer_magic = "HMTRAIL1";

std::string text_field(ByteView bytes, std::size_t at, std::size_t size) {
  const auto field = bytes.subspan(at, size);
  return {field.begin(), std::find(field.begin(), field.end(), 0)};
}

std::uint32_t crc32_of(ByteView bytes) { return static_cast<std::uint32_t>(::crc32_z(0, bytes.data(), bytes.size())); }

}  // namespace

Result<FirmwareImage> find_image(ByteView flash, std::string_view chip, std::size_t max_bytes) {
  if (flash.size() < header_bytes) return failure("the flash is smaller than an image's header");
  if (std::all_of(flash.begin(), flash.begin() + header_bytes, [](std::uint8_t cell) { return cell == 0xff; })) {
    return failure("the flash is empty");
  }
  const ByteView header = flash.first(header_bytes);
  if (text_field(header, 0, header_magic.size()) != header_magic) return failure("no image: wrong magic");
  if (crc32_of(header.first(88)) != read_u32(header, 88)) return failure("the header's sum does not fit");
  if (read_u32(header, 8) != header_bytes || read_u32(header, 16) != trailer_bytes || read_u32(header, 92) != 0) {
    return failure("the header has sizes that are not known here");
  }
  const std::uint64_t code_bytes = read_u32(header, 12);
  const std::uint64_t whole_bytes = header_bytes + code_bytes + trailer_bytes;
  if (code_bytes == 0 || whole_bytes > std::min(max_bytes, flash.size())) {
    return failure(fmt::format("the image's {} bytes do not fit into {}", whole_bytes, max_bytes));
  }
  const std::string for_chip = text_field(header, 24, 24);
  if (for_chip != chip) return failure(fmt::format("the image is for the chip \"{}\", this is {}", for_chip, chip));
  const ByteView body = flash.subspan(header_bytes, static_cast<std::size_t>(code_bytes) + trailer_bytes);
  if (crc32_of(body) != read_u32(header, 20)) return failure("the sum over code and trailer does not fit");
  if (text_field(body, static_cast<std::size_t>(code_bytes), trailer_magic.size()) != trailer_magic) {
    return failure("the trailer has a wrong magic");
  }
  return FirmwareImage{flash.first(static_cast<std::size_t>(whole_bytes)),
                       body.first(static_cast<std::size_t>(code_bytes)), text_field(header, 48, 40)};
}

}  // namespace virtual_lab
