#include "port/mbedtls/arena.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace {

bool is_filled_with(const std::vector<std::uint8_t*>& blocks, std::size_t at, std::size_t size_bytes) {
  return std::all_of(blocks[at], blocks[at] + size_bytes, [at](std::uint8_t octet) { return octet == (at & 0xff); });
}

TEST(Arena, GivesZeroedAlignedOctets) {
  auto* first = static_cast<std::uint8_t*>(arena_calloc(3, 7));
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(first) % 16, 0U);
  std::memset(first, 0xee, 21);
  arena_free(first);
  auto* again = static_cast<std::uint8_t*>(arena_calloc(1, 21));
  EXPECT_EQ(again, first);
  EXPECT_TRUE(std::all_of(again, again + 21, [](std::uint8_t octet) { return octet == 0; }));
  arena_free(again);
  EXPECT_EQ(arena_used_bytes(), 0U);
}

TEST(Arena, RefusesWhatDoesNotFit) {
  EXPECT_EQ(arena_calloc(1, ARENA_BYTES), nullptr);  // no room for the header
  EXPECT_EQ(arena_calloc(0, 8), nullptr);
  EXPECT_EQ(arena_calloc(8, 0), nullptr);
  EXPECT_EQ(arena_calloc(2, std::numeric_limits<std::size_t>::max() / 2 + 1), nullptr);  // the product wraps
  EXPECT_EQ(arena_calloc(1, std::numeric_limits<std::size_t>::max()), nullptr);
  arena_free(nullptr);
  EXPECT_EQ(arena_used_bytes(), 0U);
}

TEST(Arena, JoinsWhatComesBackInAnyOrder) {
  for (const std::array<int, 3>& order : {std::array<int, 3>{0, 1, 2}, {2, 1, 0}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}}) {
    std::array<void*, 3> blocks{};
    for (void*& block : blocks) block = arena_calloc(1, 20000);
    EXPECT_EQ(arena_calloc(1, 40000), nullptr);
    for (const int at : order) arena_free(blocks.at(static_cast<std::size_t>(at)));
    void* all = arena_calloc(1, ARENA_BYTES - 64);
    EXPECT_NE(all, nullptr);
    arena_free(all);
  }
  EXPECT_GE(arena_peak_bytes(), std::size_t{ARENA_BYTES} - 64);
}

TEST(Arena, KeepsBlocksApart) {
  std::mt19937 random(7);
  std::vector<std::uint8_t*> blocks(64);
  std::vector<std::size_t> sizes(64);
  for (int i = 0; i < 20000; i++) {
    const std::size_t at = random() % blocks.size();
    if (blocks[at] != nullptr) {
      ASSERT_TRUE(is_filled_with(blocks, at, sizes[at]));
      arena_free(blocks[at]);
    }
    sizes[at] = random() % 3000 + 1;
    blocks[at] = static_cast<std::uint8_t*>(arena_calloc(1, sizes[at]));
    if (blocks[at] != nullptr) std::memset(blocks[at], static_cast<int>(at), sizes[at]);
  }
  for (std::uint8_t* block : blocks) arena_free(block);
  EXPECT_EQ(arena_used_bytes(), 0U);
  void* all = arena_calloc(1, ARENA_BYTES - 64);
  EXPECT_NE(all, nullptr);
  arena_free(all);
}

}  // namespace
