#include "drivers/console/console_recorder.h"

#include <gtest/gtest.h>

namespace hilmark {
namespace {

struct ConsoleRecorderTest : testing::Test {
  [[nodiscard]] std::size_t recorded(std::string_view kind) const {
    return evidence.all([&](const Evidence& piece) { return piece.kind == kind; }).size();
  }
  void say(int lines, std::size_t octets = 10) {
    for (int i = 0; i < lines; ++i) recorder.add("console_line", std::string(octets, 'x'));
  }

  ManualClock clock{WallTime{}};
  EvidenceLog evidence{clock};
  ConsoleRecorder recorder{clock, evidence};
};

TEST_F(ConsoleRecorderTest, KeepsEveryLineOfAUnitThatTalksALot) {
  for (int second = 0; second < 100; ++second) {
    say(200);
    clock.advance(Milliseconds{1000});
  }
  EXPECT_EQ(recorded("console_line"), 20'000U);
  EXPECT_EQ(recorded("console_flood"), 0U);
}

TEST_F(ConsoleRecorderTest, CountsWhatAFloodBringsBeyondItsBurst) {
  say(5000);
  EXPECT_EQ(recorded("console_line"), 600U);
  clock.advance(Milliseconds{1000});
  say(1);
  ASSERT_EQ(recorded("console_flood"), 1U);
  const auto flood = evidence.all([](const Evidence& piece) { return piece.kind == "console_flood"; }).front();
  EXPECT_EQ(flood->number_of("lines"), 4400);
  EXPECT_EQ(flood->number_of("octets"), 44'000);
  EXPECT_EQ(recorded("console_line"), 601U);
}

TEST_F(ConsoleRecorderTest, TellsOfAFloodOnceASecondAtMost) {
  for (int i = 0; i < 10'000; ++i) {
    say(10);
    clock.advance(Milliseconds{1});
  }
  EXPECT_LE(recorded("console_flood"), 10U);
  EXPECT_LE(recorded("console_line"), 600U + 10 * 200U);
  EXPECT_GE(recorded("console_line"), 600U + 9 * 200U);
}

TEST_F(ConsoleRecorderTest, LongLinesAreAFloodToo) {
  say(100, 20'000);
  EXPECT_EQ(recorded("console_line"), 9U);
}

}  // namespace
}  // namespace hilmark
