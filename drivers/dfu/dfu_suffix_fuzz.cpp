// libFuzzer: whatever a firmware file holds, checking it ends; what is taken for an image fits, without its DFU suffix.
#include <algorithm>
#include <cstdint>

#include <zlib.h>

#include "drivers/image/firmware_image.h"

namespace {

using namespace hilmark;

void check(const Bytes& content) {
  ImageRules rules;
  rules.chip = "stm32h7";
  rules.base = 0x08000000;
  rules.max_bytes = 4096;
  rules.bootloader = {0x0483, 0xdf11};
  const auto image = check_firmware_image("image.dfu", content, rules);
  if (!image) {
    if (image.error().kind != ErrorKind::usage) __builtin_trap();
    return;
  }
  if (image->content.size() > rules.max_bytes || image->content.size() > content.size()) __builtin_trap();
}

/// The same octets with a suffix's signature and sum (DFU 1.1 appendix B), which chance would hardly find.
Bytes signed_file(Bytes content) {
  constexpr std::uint8_t signature[] = {'U', 'F', 'D'};
  std::copy(std::begin(signature), std::end(signature), content.end() - 8);
  const auto sum = ~static_cast<std::uint32_t>(::crc32_z(0, content.data(), content.size() - 4));
  for (int index = 0; index < 4; ++index) {
    content[content.size() - 4 + static_cast<std::size_t>(index)] = static_cast<std::uint8_t>(sum >> (8 * index));
  }
  return content;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes content(data, data + size);
  check(content);
  if (size >= 16) check(signed_file(content));
  return 0;
}
