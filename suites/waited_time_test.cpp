#include "suites/waited_time.h"

#include <gtest/gtest.h>

namespace hilmark::suites {
namespace {

SteadyTime at(int ms) { return SteadyTime{} + Milliseconds{ms}; }

TEST(WaitedTime, CountsWhatOverlapsOnce) {
  WaitedTime waited;
  EXPECT_EQ(waited.total(), Milliseconds{0});
  waited.add(at(40), at(50));
  waited.add(at(0), at(10));
  waited.add(at(5), at(20));
  waited.add(at(7), at(8));
  waited.add(at(30), at(30));
  EXPECT_EQ(waited.total(), Milliseconds{30});
  waited.clear();
  EXPECT_EQ(waited.total(), Milliseconds{0});
}

}  // namespace
}  // namespace hilmark::suites
