#include "app/backoff.h"

#include <gtest/gtest.h>

namespace {

constexpr std::uint32_t largest = 0xFFFFFFFF;

TEST(Backoff, DoublesUpToTheCapAndStaysThere) {
  backoff tested = {};
  for (const std::uint32_t wanted_ms : {500U, 1000U, 2000U, 4000U, 8000U, 16000U, 30000U, 30000U, 30000U}) {
    EXPECT_EQ(backoff_next_ms(&tested, 500, 30000, largest), wanted_ms);
  }
  for (int i = 0; i < 100; i++) EXPECT_EQ(backoff_next_ms(&tested, 500, 30000, largest), 30000U);
  backoff_reset(&tested);
  EXPECT_EQ(backoff_next_ms(&tested, 500, 30000, largest), 500U);
}

TEST(Backoff, JitterTakesAtMostHalf) {
  for (const std::uint32_t random : {0U, 1U, largest / 2, largest - 1, largest}) {
    backoff tested = {};
    for (const std::uint32_t most_ms : {500U, 1000U, 2000U}) {
      const std::uint32_t delay_ms = backoff_next_ms(&tested, 500, 30000, random);
      EXPECT_GE(delay_ms, most_ms / 2);
      EXPECT_LE(delay_ms, most_ms);
    }
  }
  backoff tested = {};
  EXPECT_EQ(backoff_next_ms(&tested, 500, 30000, 0), 250U);
}

TEST(Backoff, ABaseAboveTheCapIsTheCap) {
  backoff tested = {};
  EXPECT_EQ(backoff_next_ms(&tested, 5000, 1000, largest), 1000U);
  EXPECT_EQ(backoff_next_ms(&tested, 86400000, 86400000, largest), 86400000U);
}

}  // namespace
