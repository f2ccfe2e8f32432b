#include "boards/virtual/image.h"

#include <functional>

#include <gtest/gtest.h>
#include <zlib.h>

namespace virtual_lab {
namespace {

// Built here from boards/wire.md, not by the code under test.
struct ImageParts {
  std::string chip = "stm32h7";
  std::uint32_t header_bytes = 96;
  std::uint32_t trailer_bytes = 64;
  std::uint32_t last_word = 0;
  std::string magic = "HMIMAGE1";
  std::string trailer_magic = "HMTRAIL1";
  Bytes code = Bytes(100, 0x5a);

  [[nodiscard]] Bytes build() const {
    Bytes body = code;
    body.insert(body.end(), trailer_magic.begin(), trailer_magic.end());
    body.resize(code.size() + 64, 0);
    Bytes image(magic.begin(), magic.end());
    append_u32(image, header_bytes);
    append_u32(image, static_cast<std::uint32_t>(code.size()));
    append_u32(image, trailer_bytes);
    append_u32(image, static_cast<std::uint32_t>(::crc32(0, body.data(), static_cast<unsigned>(body.size()))));
    image.insert(image.end(), chip.begin(), chip.end());
    image.resize(48, 0);
    image.insert(image.end(), 40, 'b');
    append_u32(image, static_cast<std::uint32_t>(::crc32(0, image.data(), 88)));
    append_u32(image, last_word);
    image.insert(image.end(), body.begin(), body.end());
    return image;
  }
};

Bytes flash_with(const Bytes& image) {
  Bytes flash(4096, 0xff);
  std::copy(image.begin(), image.end(), flash.begin());
  return flash;
}

Result<FirmwareImage> look(const Bytes& image) {
  static Bytes flash;
  flash = flash_with(image);
  return find_image(flash, "stm32h7", 2048);
}

TEST(Image, IsFoundWithItsParts) {
  const auto image = look(ImageParts().build());
  ASSERT_TRUE(image) << image.error();
  EXPECT_EQ(image->whole.size(), 96U + 100 + 64);
  EXPECT_EQ(image->code.size(), 100U);
  EXPECT_EQ(image->code[0], 0x5a);
  EXPECT_EQ(image->build_id, std::string(40, 'b'));
}

TEST(Image, FillsAllThatIsItsOwnAndNotAByteMore) {
  ImageParts parts;
  parts.code = Bytes(2048 - 96 - 64, 1);
  EXPECT_TRUE(look(parts.build()));
  parts.code.push_back(1);
  EXPECT_FALSE(look(parts.build()));
}

TEST(Image, OfAnyFlippedBitIsRefused) {
  const Bytes whole = ImageParts().build();
  for (std::size_t at = 0; at < whole.size(); ++at) {
    Bytes damaged = whole;
    damaged[at] ^= 0x10;
    EXPECT_FALSE(look(damaged)) << "byte " << at;
  }
}

TEST(Image, CutShortAnywhereIsRefused) {
  const Bytes whole = ImageParts().build();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    Bytes cut = whole;
    std::fill(cut.begin() + static_cast<std::ptrdiff_t>(size), cut.end(), std::uint8_t{0xff});
    if (cut == whole) continue;
    EXPECT_FALSE(look(cut)) << "after " << size;
  }
}

void expect_refused(const std::function<void(ImageParts&)>& change, std::string_view because) {
  ImageParts parts;
  change(parts);
  const auto image = look(parts.build());
  ASSERT_FALSE(image) << because;
  EXPECT_NE(image.error().find(because), std::string::npos) << image.error();
}

TEST(Image, ThatFitsNotTheContractIsRefusedByName) {
  expect_refused([](ImageParts& parts) { parts.chip = "stm32f4"; }, "chip \"stm32f4\"");
  expect_refused([](ImageParts& parts) { parts.chip = "stm32h75"; }, "chip");
  expect_refused([](ImageParts& parts) { parts.header_bytes = 95; }, "sizes");
  expect_refused([](ImageParts& parts) { parts.trailer_bytes = 0; }, "sizes");
  expect_refused([](ImageParts& parts) { parts.last_word = 1; }, "sizes");
  expect_refused([](ImageParts& parts) { parts.magic = "HMIMAGE2"; }, "magic");
  expect_refused([](ImageParts& parts) { parts.trailer_magic = "HMTRAIL2"; }, "trailer");
  expect_refused([](ImageParts& parts) { parts.code.clear(); }, "do not fit");
}

TEST(Image, IsNotFoundInEmptyOrTinyFlash) {
  EXPECT_EQ(find_image(Bytes(4096, 0xff), "stm32h7", 2048).error(), "the flash is empty");
  EXPECT_FALSE(find_image(Bytes(95, 0), "stm32h7", 2048));
  EXPECT_FALSE(find_image(Bytes(), "stm32h7", 2048));
}

}  // namespace
}  // namespace virtual_lab
