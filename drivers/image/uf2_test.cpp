#include "drivers/image/uf2.h"

#include <numeric>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "drivers/image/uf2_testing.h"

namespace hilmark {
namespace {

using testing::AllOf;
using testing::HasSubstr;

Bytes counted(std::size_t size_bytes) {
  Bytes bytes(size_bytes);
  std::iota(bytes.begin(), bytes.end(), std::uint8_t{0});
  return bytes;
}

Bytes file_of(const std::vector<Uf2TestBlock>& blocks) {
  Bytes file;
  for (const Uf2TestBlock& block : blocks) append_uf2_block(file, block);
  return file;
}

Result<Uf2Image> read_rp2040(const Bytes& file) { return read_uf2_for("app.uf2", file, uf2_family_rp2040); }

std::string refusal(const Bytes& file) {
  const auto image = read_rp2040(file);
  if (image) return "accepted";
  EXPECT_EQ(image.error().kind, ErrorKind::usage);
  EXPECT_THAT(image.error().message, HasSubstr("app.uf2"));
  return image.error().message;
}

TEST(Uf2, JoinsBlocksToOneImage) {
  const Bytes content = counted(1024);
  const auto image = read_rp2040(uf2_file_of(content, 0x10000000, uf2_family_rp2040));
  ASSERT_TRUE(image) << image.error().message;
  EXPECT_EQ(image->address, 0x10000000U);
  EXPECT_EQ(image->content, content);
}

TEST(Uf2, TakesBlocksInAnyOrderAndPayloadsUpTo476Bytes) {
  const auto image = read_rp2040(file_of(
      {{.address = 0x10000100, .number = 1, .count = 2}, {.address = 0x100000fc, .payload_bytes = 4, .count = 2}}));
  ASSERT_TRUE(image) << image.error().message;
  EXPECT_EQ(image->address, 0x100000fcU);
  EXPECT_EQ(image->content.size(), 260U);
  const auto long_one = read_rp2040(file_of({{.payload_bytes = 476, .payload = Bytes(476, 7)}}));
  ASSERT_TRUE(long_one) << long_one.error().message;
  EXPECT_EQ(long_one->content, Bytes(476, 7));
}

TEST(Uf2, FillsASmallGapAsErasedFlashReads) {
  const auto image =
      read_rp2040(file_of({{.count = 2}, {.address = 0x10000100 + uf2_max_gap_bytes, .number = 1, .count = 2}}));
  ASSERT_TRUE(image) << image.error().message;
  const Bytes& content = image->content;
  ASSERT_EQ(content.size(), 512U + uf2_max_gap_bytes);
  EXPECT_EQ(content[255], 0x5a);
  EXPECT_EQ(content[256], 0xff);
  EXPECT_EQ(content[255 + uf2_max_gap_bytes], 0xff);
  EXPECT_EQ(content[256 + uf2_max_gap_bytes], 0x5a);
}

TEST(Uf2, LeavesOutWhatIsNotForTheMainFlashButCountsIt) {
  const auto image = read_rp2040(
      file_of({{.flags = 0x2001, .address = 3, .payload_bytes = 9999, .count = 2}, {.number = 1, .count = 2}}));
  ASSERT_TRUE(image) << image.error().message;
  EXPECT_EQ(image->content.size(), 256U);
  EXPECT_THAT(refusal(file_of({{.flags = 0x2001}})), HasSubstr("nothing for the main flash"));
}

TEST(Uf2, KeepsFamiliesApart) {
  const Bytes file = file_of({{.address = 0x10ffff00, .count = 2, .family = 0xe48bff57},
                              {.family = uf2_family_rp2350_arm_s},
                              {.address = 0x10fffe00, .number = 1, .count = 2, .family = 0xe48bff57},
                              {.flags = 0}});
  const auto image = read_uf2_for("app.uf2", file, uf2_family_rp2350_arm_s);
  ASSERT_TRUE(image) << image.error().message;
  EXPECT_EQ(image->address, 0x10000000U);
  EXPECT_EQ(image->content.size(), 256U);
  const auto none = read_uf2_for("app.uf2", file, uf2_family_rp2040);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().kind, ErrorKind::usage);
  EXPECT_THAT(none.error().message, AllOf(HasSubstr("another chip"), HasSubstr("0xe48bff57, 0xe48bff59, none"),
                                          HasSubstr("the chip's is 0xe48bff56")));
}

TEST(Uf2, TheRp2350ToolsLoneFirstBlockOfTwoIsNotLookedAt) {
  Bytes file = file_of({{.address = 0x10ffff00, .count = 2, .family = 0xe48bff57, .payload = Bytes(256, 0xef)}});
  const Bytes content = counted(768);
  const Bytes image_blocks = uf2_file_of(content, 0x10000000, uf2_family_rp2350_arm_s);
  file.insert(file.end(), image_blocks.begin(), image_blocks.end());
  const auto image = read_uf2_for("app.uf2", file, uf2_family_rp2350_arm_s);
  ASSERT_TRUE(image) << image.error().message;
  EXPECT_EQ(image->address, 0x10000000U);
  EXPECT_EQ(image->content, content);
  EXPECT_THAT(refusal(file), AllOf(HasSubstr("another chip"), HasSubstr("0xe48bff57, 0xe48bff59")));
  file.resize(file.size() - 512);
  const auto cut = read_uf2_for("app.uf2", file, uf2_family_rp2350_arm_s);
  ASSERT_FALSE(cut);
  EXPECT_THAT(cut.error().message, HasSubstr("cut short: it has 2 blocks of family 0xe48bff59"));
}

TEST(Uf2, RefusesWhatIsNoUf2) {
  EXPECT_FALSE(is_uf2({}));
  EXPECT_FALSE(is_uf2(Bytes(512)));
  EXPECT_TRUE(is_uf2(file_of({{}})));
  EXPECT_THAT(refusal({}), HasSubstr("cut short"));
  Bytes file = file_of({{}, {}});
  file.pop_back();
  EXPECT_THAT(refusal(file), HasSubstr("cut short: it has 1023 bytes"));
  for (const std::size_t at : {0U, 4U, 508U}) {
    Bytes damaged = file_of({{.count = 2}, {.address = 0x10000100, .number = 1, .count = 2}});
    damaged[512 + at] ^= 1;
    EXPECT_THAT(refusal(damaged), HasSubstr("its block 1 does not begin and end")) << at;
  }
  EXPECT_THAT(refusal(file_of({{.flags = 0x1000}})), HasSubstr("container of files"));
}

TEST(Uf2, RefusesImpossibleBlocks) {
  for (const std::uint32_t size_bytes : {0U, 3U, 258U, 480U, 0xffffffffU}) {
    EXPECT_THAT(refusal(file_of({{.payload_bytes = size_bytes}})), HasSubstr("bytes of payload; expected 4 to 476"))
        << size_bytes;
  }
  for (const std::uint32_t address : {1U, 0x10000002U, 0xffffff04U}) {
    EXPECT_THAT(refusal(file_of({{.address = address}})), HasSubstr("which cannot be")) << address;
  }
  EXPECT_EQ(refusal(file_of({{.address = 0xffffff00}})), "accepted") << "it ends where 32 bits end";
}

TEST(Uf2, RefusesBlocksThatDoNotAddUp) {
  EXPECT_THAT(refusal(file_of({{.count = 0}})), HasSubstr("number 0 of 0"));
  EXPECT_THAT(refusal(file_of({{.number = 1}})), HasSubstr("number 1 of 1"));
  EXPECT_THAT(refusal(file_of({{.count = 2}})), HasSubstr("cut short: it has 1 blocks of family 0xe48bff56"));
  EXPECT_THAT(refusal(file_of({{.count = 0xffffffff}})), HasSubstr("which say that they are 4294967295"));
  EXPECT_THAT(refusal(file_of({{}, {}})), HasSubstr("damaged: it has 2 blocks"));
  EXPECT_THAT(refusal(file_of({{.count = 2}, {.number = 1, .count = 3}})), HasSubstr("counts 3 blocks"));
  EXPECT_THAT(refusal(file_of({{.count = 2}, {.address = 0x10000100, .count = 2}})),
              HasSubstr("there twice (block 1)"));
}

TEST(Uf2, RefusesBlocksThatOverlapOrLieFarApart) {
  EXPECT_THAT(refusal(file_of({{.count = 2}, {.number = 1, .count = 2}})), HasSubstr("overlaps another at 0x10000000"));
  EXPECT_THAT(refusal(file_of({{.count = 2}, {.address = 0x100000fc, .number = 1, .count = 2}})),
              HasSubstr("its block 1 overlaps"));
  EXPECT_THAT(refusal(file_of({{.count = 2}, {.address = 0x10000104 + uf2_max_gap_bytes, .number = 1, .count = 2}})),
              AllOf(HasSubstr("4100 bytes between 0x10000100"), HasSubstr("in one piece")));
}

TEST(Uf2, RefusesMoreFamiliesThanThereCanBe) {
  std::vector<Uf2TestBlock> blocks(16);
  for (std::uint32_t number = 1; number < 16; ++number) blocks[number].family = number;
  EXPECT_EQ(refusal(file_of(blocks)), "accepted");
  blocks.push_back({.family = 16});
  EXPECT_THAT(refusal(file_of(blocks)), HasSubstr("more than 16 families"));
}

}  // namespace
}  // namespace hilmark
