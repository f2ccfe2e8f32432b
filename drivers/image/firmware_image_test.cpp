#include "drivers/image/firmware_image.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/sha.h>
#include <zlib.h>

#include "drivers/image/uf2.h"
#include "drivers/image/uf2_testing.h"
#include "harness/base/temporary_folder.h"

namespace hilmark {
namespace {

using testing::HasSubstr;

const ImageRules rules{"stm32h7", {"hilmark", "bin"}, 0x08000000, 4096, {0x0483, 0xdf11}};

void put32(Bytes& bytes, std::size_t at, std::uint32_t value) {
  for (std::size_t index = 0; index < 4; ++index) bytes[at + index] = static_cast<std::uint8_t>(value >> (8 * index));
}

void put_text(Bytes& bytes, std::size_t at, std::string_view text) {
  std::copy(text.begin(), text.end(), bytes.begin() + static_cast<std::ptrdiff_t>(at));
}

std::uint32_t crc(const Bytes& bytes, std::size_t from, std::size_t to) {
  return static_cast<std::uint32_t>(::crc32_z(0, bytes.data() + from, to - from));
}

/// Makes both sums and the build id fit what the image holds now.
void seal(Bytes& image) {
  std::array<std::uint8_t, SHA256_DIGEST_LENGTH> digest{};
  SHA256(image.data() + 96, image.size() - 96, digest.data());
  put_text(image, 48, to_hex(digest).substr(0, 40));
  put32(image, 20, crc(image, 96, image.size()));
  put32(image, 88, crc(image, 0, 88));
}

Bytes golden(std::string_view chip = "stm32h7", std::size_t code_bytes = 500) {
  Bytes image(96 + code_bytes + 64);
  put_text(image, 0, "HMIMAGE1");
  put32(image, 8, 96);
  put32(image, 12, static_cast<std::uint32_t>(code_bytes));
  put32(image, 16, 64);
  put_text(image, 24, chip);
  for (std::size_t index = 0; index < code_bytes; ++index) image[96 + index] = static_cast<std::uint8_t>(index);
  put_text(image, 96 + code_bytes, "HMTRAIL1golden");
  seal(image);
  return image;
}

Bytes with_suffix(Bytes content, std::uint16_t product, std::uint16_t version = 0x0100) {
  const std::array<std::uint8_t, 12> suffix{0xff,
                                            0xff,
                                            static_cast<std::uint8_t>(product),
                                            static_cast<std::uint8_t>(product >> 8),
                                            0x83,
                                            0x04,
                                            static_cast<std::uint8_t>(version),
                                            static_cast<std::uint8_t>(version >> 8),
                                            'U',
                                            'F',
                                            'D',
                                            16};
  content.insert(content.end(), suffix.begin(), suffix.end());
  const std::uint32_t sum = ~crc(content, 0, content.size());
  content.resize(content.size() + 4);
  put32(content, content.size() - 4, sum);
  return content;
}

std::string refusal(Bytes content, const std::string& path = "app.img", const ImageRules& by = rules) {
  const auto image = check_firmware_image(path, std::move(content), by);
  if (image) return "accepted";
  EXPECT_EQ(image.error().kind, ErrorKind::usage);
  EXPECT_THAT(image.error().message, HasSubstr(path));
  return image.error().message;
}

TEST(FirmwareImage, AGoodOneIsReadWhole) {
  const Bytes content = golden();
  const auto image = check_firmware_image("app.img", content, rules);
  ASSERT_TRUE(image) << image.error().message;
  EXPECT_EQ(image->content, content);
  EXPECT_EQ(image->chip, "stm32h7");
  EXPECT_EQ(image->variant, "golden");
  EXPECT_EQ(image->address, 0x08000000U);
  EXPECT_EQ(image->build_id.size(), 40U);
}

TEST(FirmwareImage, ForAnotherChipIsRefused) {
  EXPECT_THAT(refusal(golden("rp2040")), HasSubstr("built for rp2040, the board has stm32h7"));
}

TEST(FirmwareImage, CutShortAnywhereIsRefused) {
  const Bytes whole = golden();
  for (std::size_t size = 8; size < whole.size(); size += 17) {
    EXPECT_THAT(refusal(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size))),
                HasSubstr("cut short"))
        << size;
  }
  EXPECT_THAT(refusal(Bytes(whole.begin(), whole.begin() + 5)), HasSubstr("neither begins with"));
  EXPECT_THAT(refusal({}), HasSubstr("is empty"));
}

TEST(FirmwareImage, EveryDamagedByteIsNoticed) {
  const Bytes whole = golden();
  for (std::size_t at = 0; at < whole.size(); ++at) {
    Bytes damaged = whole;
    damaged[at] ^= 0x40;
    EXPECT_NE(refusal(damaged), "accepted") << at;
  }
}

TEST(FirmwareImage, TooLongOrTooLargeIsRefused) {
  Bytes longer = golden();
  longer.push_back(0);
  EXPECT_THAT(refusal(longer), HasSubstr("too long"));
  EXPECT_THAT(refusal(golden("stm32h7", 5000)), HasSubstr("takes 4096 at most"));
}

TEST(FirmwareImage, AWrongBuildIdOrTrailerIsNoticedBehindRightSums) {
  Bytes wrong_id = golden();
  wrong_id[48] = wrong_id[48] == 'a' ? 'b' : 'a';
  put32(wrong_id, 88, crc(wrong_id, 0, 88));
  EXPECT_THAT(refusal(wrong_id), HasSubstr("build id"));
  Bytes no_trailer = golden();
  no_trailer[no_trailer.size() - 64] = 'X';
  seal(no_trailer);
  EXPECT_THAT(refusal(no_trailer), HasSubstr("no trailer"));
  Bytes newer = golden();
  newer[92] = 1;
  EXPECT_THAT(refusal(newer), HasSubstr("newer form"));
}

TEST(FirmwareImage, RawOnesGoToTheBase) {
  const auto image = check_firmware_image("app.bin", Bytes{1, 2, 3}, rules);
  ASSERT_TRUE(image);
  EXPECT_EQ(image->content, (Bytes{1, 2, 3}));
  EXPECT_TRUE(image->build_id.empty());
  EXPECT_THAT(refusal({1, 2, 3}, "app.bin", {"x", {"hilmark"}, 0, 4096, {}}), HasSubstr("format bin"));
  EXPECT_THAT(refusal({0x7f, 'E', 'L', 'F', 2}, "app.elf"), HasSubstr("ELF"));
  EXPECT_THAT(refusal({':', '1', '0'}, "app.hex"), HasSubstr("neither"));
}

TEST(FirmwareImage, ADfuSuffixIsCheckedAndNotWritten) {
  const auto image = check_firmware_image("app.dfu", with_suffix(golden(), 0xdf11), rules);
  ASSERT_TRUE(image) << image.error().message;
  EXPECT_EQ(image->content, golden());
  EXPECT_TRUE(check_firmware_image("app.dfu", with_suffix(golden(), 0xffff), rules)) << "for any product";
  EXPECT_THAT(refusal(with_suffix(golden(), 0x5740)), HasSubstr("0483:5740, the bootloader is 0483:df11"));
  EXPECT_THAT(refusal(with_suffix(golden(), 0xdf11, 0x011a)), HasSubstr("DfuSe container"));
  Bytes damaged = with_suffix({1, 2, 3}, 0xdf11);
  damaged[0] ^= 1;
  EXPECT_THAT(refusal(damaged), HasSubstr("DFU suffix does not fit"));
}

const ImageRules pico_rules{"rp2040", {"uf2"}, 0x10000000, 4096, {0x2e8a, 3}, uf2_family_rp2040};

TEST(FirmwareImage, AUf2FileIsTakenForItsFamily) {
  const Bytes content(512, 7);
  const auto image = check_firmware_image("a.uf2", uf2_file_of(content, 0x10000000, uf2_family_rp2040), pico_rules);
  ASSERT_TRUE(image) << image.error().message;
  EXPECT_EQ(image->address, 0x10000000U);
  EXPECT_EQ(image->content, content);
  EXPECT_EQ(image->build_id, "");
  const auto refused = [&](std::uint32_t address, std::uint32_t family, std::size_t size_bytes,
                           const ImageRules& by = pico_rules) {
    return refusal(uf2_file_of(Bytes(size_bytes, 7), address, family), "a.uf2", by);
  };
  EXPECT_THAT(refused(0x10000000, uf2_family_rp2350_arm_s, 512), HasSubstr("for another chip"));
  EXPECT_THAT(refused(0x10000100, uf2_family_rp2040, 512), HasSubstr("images of chip rp2040 belong at 0x10000000"));
  EXPECT_EQ(refused(0x10000000, uf2_family_rp2040, 4096), "accepted");
  EXPECT_THAT(refused(0x10000000, uf2_family_rp2040, 4097), HasSubstr("takes 4096 at most"));
  EXPECT_THAT(refused(0x10000000, uf2_family_rp2040, 512, rules), HasSubstr("of the format uf2"));
  ImageRules without_family = pico_rules;
  without_family.uf2_family.reset();
  EXPECT_THAT(refused(0x10000000, uf2_family_rp2040, 512, without_family), HasSubstr("names no UF2 family"));
}

TEST(FirmwareImage, AHilmarkImageInAUf2FileIsCheckedAsOne) {
  const Bytes content = golden("rp2040");
  const auto image = check_firmware_image("a.uf2", uf2_file_of(content, 0x10000000, uf2_family_rp2040), pico_rules);
  ASSERT_TRUE(image) << image.error().message;
  EXPECT_EQ(image->content, content) << "without the filling of its last block";
  EXPECT_EQ(image->variant, "golden");
  EXPECT_THAT(refusal(uf2_file_of(golden(), 0x10000000, uf2_family_rp2040), "a.uf2", pico_rules),
              HasSubstr("built for stm32h7"));
  Bytes damaged = content;
  damaged[200] ^= 1;
  EXPECT_THAT(refusal(uf2_file_of(damaged, 0x10000000, uf2_family_rp2040), "a.uf2", pico_rules),
              HasSubstr("is damaged"));
}

TEST(FirmwareImage, IsReadFromItsFile) {
  const auto folder = TemporaryFolder::make();
  ASSERT_TRUE(folder);
  const auto path = folder->path() / "app.img";
  ASSERT_TRUE(write_file(path, as_text(golden())));
  EXPECT_EQ(load_firmware_image(path, rules)->path, path.string());
  EXPECT_EQ(load_firmware_image(folder->path() / "none.img", rules).error().kind, ErrorKind::usage);
}

TEST(FirmwareImage, NamesItsChipIfItCan) {
  const auto folder = TemporaryFolder::make();
  ASSERT_TRUE(folder);
  const auto path = folder->path() / "app.img";
  ASSERT_TRUE(write_file(path, as_text(golden("stm32f4"))));
  EXPECT_EQ(chip_named_by_image(path), "stm32f4");
  ASSERT_TRUE(write_file(path, as_text(Bytes(200, 0))));
  EXPECT_EQ(chip_named_by_image(path), "");
  ASSERT_TRUE(write_file(path, "HMIMAGE1 cut short"));
  EXPECT_EQ(chip_named_by_image(path), "");
  EXPECT_EQ(chip_named_by_image(folder->path() / "none.img"), "");
}

}  // namespace
}  // namespace hilmark
