#include "drivers/dfu/dfuse_layout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hilmark {
namespace {

using testing::HasSubstr;

TEST(DfuSeLayout, TheStm32H7HasSixteenSectors) {
  const auto layout = parse_dfuse_layout("@Internal Flash  /0x08000000/16*128Kg");
  ASSERT_TRUE(layout);
  EXPECT_EQ(layout->name, "Internal Flash");
  ASSERT_EQ(layout->sectors.size(), 16U);
  EXPECT_EQ(layout->sectors[15], (DfuSeSector{0x081e0000, 128 << 10, true, true, true}));
}

TEST(DfuSeLayout, RunsAndSegmentsFollowEachOther) {
  const auto layout = parse_dfuse_layout("@Flash /0x08000000/04*016Kg,01*064Kg,01*1Mg/0x08200000/2*32 a,1*16Bd");
  ASSERT_TRUE(layout) << layout.error().message;
  ASSERT_EQ(layout->sectors.size(), 9U);
  EXPECT_EQ(layout->sectors[4], (DfuSeSector{0x08010000, 64 << 10, true, true, true}));
  EXPECT_EQ(layout->sectors[5], (DfuSeSector{0x08020000, 1 << 20, true, true, true}));
  EXPECT_EQ(layout->sectors[7], (DfuSeSector{0x08200020, 32, true, false, false}));
  EXPECT_EQ(layout->sectors[8], (DfuSeSector{0x08200040, 16, false, false, true}));
}

TEST(DfuSeLayout, EachTypeLetterHasItsRights) {
  const struct {
    char letter;
    bool readable, erasable, writable;
  } rows[] = {{'a', true, false, false}, {'b', false, true, false}, {'c', true, true, false}, {'d', false, false, true},
              {'e', true, false, true},  {'f', false, true, true},  {'g', true, true, true}};
  for (const auto& row : rows) {
    const auto layout = parse_dfuse_layout(std::string("@X /0x0/1*8B") + row.letter);
    ASSERT_TRUE(layout);
    EXPECT_EQ(layout->sectors[0], (DfuSeSector{0, 8, row.readable, row.erasable, row.writable})) << row.letter;
  }
}

TEST(DfuSeLayout, WhatIsWrongIsQuotedWithItsColumn) {
  const struct {
    const char* text;
    const char* says;
  } rows[] = {
      {"", "'@' at column 1"},
      {"Internal Flash /0x08000000/16*128Kg", "'@'"},
      {"@/0x0/1*1Kg", "a name"},
      {"@X", "'/' and an address"},
      {"@X /08000000/1*1Kg", "'0x'"},
      {"@X /0x/1*1Kg", "an address"},
      {"@X /0x100000000/1*1Kg", "an address"},
      {"@X /0x0", "'/' at column"},
      {"@X /0x0/", "a number of sectors"},
      {"@X /0x0/0*1Kg", "a number of sectors"},
      {"@X /0x0/1x1Kg", "'*'"},
      {"@X /0x0/1*Kg", "a sector size"},
      {"@X /0x0/1*1K", "a sector type"},
      {"@X /0x0/1*1Kh", "a sector type"},
      {"@X /0x0/1*1Kg,", "a number of sectors"},
      {"@X /0x0/1*1Kg;", "or the end"},
      {"@X /0x0/65537*1Bg", "65536 sectors"},
      {"@X /0xfffffff0/1*1Kg", "below 4 GiB"},
      {"@X /0x0/1*4294967295Mg", "below 4 GiB"},
      {"@X /0x0/2*1Kg/0x400/1*1Kg", "overlap at 0x00000400"},
  };
  for (const auto& row : rows) {
    const auto layout = parse_dfuse_layout(row.text);
    ASSERT_FALSE(layout) << row.text;
    EXPECT_EQ(layout.error().kind, ErrorKind::usage);
    EXPECT_THAT(layout.error().message, HasSubstr(row.says)) << row.text;
  }
}

TEST(DfuSeLayout, CoversOnlyTheSectorsThatARangeTouches) {
  const auto layout = parse_dfuse_layout("@X /0x1000/4*1Kg/0x8000/1*1Kg");
  ASSERT_TRUE(layout);
  EXPECT_EQ(layout->covering(0x1000, 1)->size(), 1U);
  EXPECT_EQ(layout->covering(0x1000, 1024)->size(), 1U);
  EXPECT_EQ(layout->covering(0x1000, 1025)->size(), 2U);
  EXPECT_EQ(layout->covering(0x13ff, 2)->size(), 2U);
  EXPECT_EQ(layout->covering(0x1000, 0)->size(), 0U);
  EXPECT_THAT(layout->covering(0xfff, 2).error().message, HasSubstr("0x00000fff is not in X"));
  EXPECT_THAT(layout->covering(0x1c00, 1025).error().message, HasSubstr("0x00002000 is not in X"));
  EXPECT_THAT(layout->covering(0x9000, 1).error().message, HasSubstr("0x00009000"));
}

}  // namespace
}  // namespace hilmark
