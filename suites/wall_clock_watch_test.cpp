#include "suites/wall_clock_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hilmark::suites {
namespace {

struct SettableClock final : Clock {
  [[nodiscard]] SteadyTime now() const override { return steady; }
  [[nodiscard]] WallTime wall() const override { return wall_time; }
  void pass(Milliseconds time) {
    steady += time;
    wall_time += time;
  }
  SteadyTime steady{};
  WallTime wall_time{std::chrono::hours{500'000}};
};

TEST(WallClockWatch, TimeThatPassesIsNoTrouble) {
  SettableClock clock;
  WallClockWatch watch(clock);
  clock.pass(std::chrono::hours{5});
  EXPECT_FALSE(watch.trouble());
  clock.wall_time += Milliseconds{59'000};
  EXPECT_FALSE(watch.trouble()) << "slewed";
}

TEST(WallClockWatch, AClockThatIsSetIsToldOnce) {
  SettableClock clock;
  WallClockWatch watch(clock);
  clock.pass(Milliseconds{1000});
  clock.wall_time -= std::chrono::hours{24};
  EXPECT_THAT(watch.trouble().value_or(""), testing::HasSubstr("was set by -86400 s"));
  EXPECT_FALSE(watch.trouble());
}

}  // namespace
}  // namespace hilmark::suites
