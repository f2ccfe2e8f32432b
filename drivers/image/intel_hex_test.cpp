#include "drivers/image/intel_hex.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hilmark {
namespace {

TEST(IntelHex, RecordsCarryTheirLengthOffsetAndSum) {
  EXPECT_EQ(intel_hex(0x0100, Bytes{0x21, 0x46, 0x01, 0x36}), ":04010000214601365D\n:00000001FF\n");
}

TEST(IntelHex, AnAddressAbove64KiBComesFirst) {
  EXPECT_EQ(intel_hex(0x08000000, Bytes{0xaa}), ":020000040800F2\n:01000000AA55\n:00000001FF\n");
}

TEST(IntelHex, NoRecordCrossesIntoTheNext64KiB) {
  EXPECT_EQ(intel_hex(0x0000fffe, Bytes{1, 2, 3}), ":02FFFE000102FE\n:020000040001F9\n:0100000003FC\n:00000001FF\n");
}

TEST(IntelHex, RecordsAre32OctetsLongAndNothingIsLeftOut) {
  const std::string text = intel_hex(0, Bytes(33, 0x5a));
  EXPECT_THAT(text, testing::StartsWith(":20000000"));
  EXPECT_THAT(text, testing::HasSubstr("\n:010020005A85\n"));
}

TEST(IntelHex, NothingIsAnEmptyFile) { EXPECT_EQ(intel_hex(0, {}), ":00000001FF\n"); }

}  // namespace
}  // namespace hilmark
