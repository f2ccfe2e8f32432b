#include "boards/virtual/flash_memory.h"

#include <fstream>

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "boards/virtual/flash_store.h"

namespace virtual_lab {
namespace {

constexpr std::string_view stm32h7 = "@Internal Flash /0x08000000/16*128Kg";

TEST(FlashLayout, ReadsSectorsOfOneSize) {
  const auto layout = FlashLayout::parse(stm32h7);
  ASSERT_TRUE(layout) << layout.error();
  EXPECT_EQ(layout->base, 0x08000000U);
  EXPECT_EQ(layout->size, 2U << 20);
  ASSERT_EQ(layout->sectors.size(), 16U);
  EXPECT_EQ(layout->sectors[15].offset, 15U * 128 * 1024);
  EXPECT_TRUE(layout->sectors[15].readable && layout->sectors[15].erasable && layout->sectors[15].writable);
}

TEST(FlashLayout, ReadsMixedSectorsUnitsAndRights) {
  const auto layout = FlashLayout::parse("@Flash  /0x08000000/04*016Kg,01*064Kg,2*512Ba,1*1Ma");
  ASSERT_TRUE(layout) << layout.error();
  ASSERT_EQ(layout->sectors.size(), 8U);
  EXPECT_EQ(layout->sectors[4].size, 64U * 1024);
  EXPECT_EQ(layout->sectors[5].size, 512U);
  EXPECT_FALSE(layout->sectors[5].erasable || layout->sectors[5].writable);
  EXPECT_EQ(layout->sectors[7].size, 1U << 20);
}

TEST(FlashMemory, ErasesSectorsOfSeveralSizesEachWhole) {
  auto layout = FlashLayout::parse("@Internal Flash /0x08000000/04*016Kg,01*064Kg,07*128Kg");
  ASSERT_TRUE(layout) << layout.error();
  std::vector<std::uint8_t> cells(layout->size, 0);
  ASSERT_EQ(cells.size(), 1U << 20);
  FlashMemory flash(*layout, cells);
  EXPECT_EQ(flash.erase_sector_at(0x10000), FlashResult::done);  // sector 4, 64 KiB
  EXPECT_EQ(flash.erase_sector_at(0xC0000), FlashResult::done);  // sector 10, 128 KiB
  for (std::size_t at = 0; at < cells.size(); ++at) {
    const bool erased = (at >= 0x10000 && at < 0x20000) || (at >= 0xC0000 && at < 0xE0000);
    ASSERT_EQ(cells[at], erased ? 0xff : 0) << at;
  }
}

TEST(FlashLayout, RefusesWhatItCannotRead) {
  for (const char* text :
       {"", "Flash /0x08000000/1*1Kg", "@Flash", "@Flash /08000000/1*1Kg", "@Flash /0x08000000/", "@F /0x0/0*1Kg",
        "@F /0x0/1*0Kg", "@F /0x0/1*1Kh", "@F /0x0/1*1K", "@F /0x0/x*1Kg", "@F /0x0/1*1Kg/0x1/1*1Kg",
        "@F /0xFFFFFFFF/1*1Kg", "@F /0x0/4095*64Mg", "@F /0x123456789/1*1Kg"}) {
    EXPECT_FALSE(FlashLayout::parse(text)) << text;
  }
}

class Flash : public testing::Test {
 protected:
  Flash() : cells(2U << 20, 0xff), flash(*FlashLayout::parse(stm32h7), cells) {}

  std::vector<std::uint8_t> cells;
  FlashMemory flash;
};

TEST_F(Flash, ProgrammingClearsBitsAndNeverSetsThem) {
  EXPECT_EQ(flash.program(10, Bytes{0xf0, 0x0f}), FlashResult::done);
  EXPECT_EQ(flash.program(10, Bytes{0xc0, 0x0f}), FlashResult::done);
  EXPECT_EQ(flash.program(10, Bytes{0xff, 0x00}), FlashResult::not_erased);
  EXPECT_EQ(cells[10], 0xc0);
  EXPECT_EQ(cells[11], 0x00);
}

TEST_F(Flash, ErasesTheWholeSectorAndNoOther) {
  const std::uint32_t sector = 128 * 1024;
  ASSERT_EQ(flash.program(sector - 1, Bytes{1, 2}), FlashResult::done);
  EXPECT_EQ(flash.erase_sector_at(sector + 77), FlashResult::done);
  EXPECT_EQ(cells[sector - 1], 1);
  EXPECT_EQ(cells[sector], 0xff);
}

TEST_F(Flash, CountsErasesAndProgramsOfEachSector) {
  ASSERT_EQ(flash.program(128 * 1024 - 1, Bytes{1, 2}), FlashResult::done);
  ASSERT_EQ(flash.erase_sector_at(0), FlashResult::done);
  flash.erase_all();
  EXPECT_EQ(flash.programs()[0], 1U);
  EXPECT_EQ(flash.programs()[1], 1U);
  EXPECT_EQ(flash.programs()[2], 0U);
  EXPECT_EQ(flash.erases()[0], 2U);
  EXPECT_EQ(flash.erases()[15], 1U);
}

TEST_F(Flash, RefusesWhatReachesBeyondItsEnd) {
  Bytes two(2);
  EXPECT_EQ(flash.read(flash.layout().size - 1, two), FlashResult::outside);
  EXPECT_EQ(flash.read(UINT32_MAX, two), FlashResult::outside);
  EXPECT_EQ(flash.program(flash.layout().size - 1, two), FlashResult::outside);
  EXPECT_EQ(flash.erase_sector_at(flash.layout().size), FlashResult::outside);
}

TEST(FlashRights, AreKept) {
  std::vector<std::uint8_t> cells(3072, 0xff);
  FlashMemory flash(*FlashLayout::parse("@F /0x0/1*1Kg,1*1Ka,1*1Kd"), cells);
  Bytes one{0};
  EXPECT_EQ(flash.program(1024, one), FlashResult::outside);
  EXPECT_EQ(flash.erase_sector_at(1024), FlashResult::outside);
  EXPECT_EQ(flash.program(1023, Bytes{0, 0}), FlashResult::outside);
  EXPECT_EQ(flash.program(2048, one), FlashResult::done);
  EXPECT_EQ(flash.read(2048, one), FlashResult::outside);
}

class KeptFlash : public testing::Test {
 protected:
  KeptFlash() {
    std::string pattern = testing::TempDir() + "flash-XXXXXX";
    folder = ::mkdtemp(pattern.data());
  }
  ~KeptFlash() override { std::filesystem::remove_all(folder); }

  std::filesystem::path folder;
};

TEST_F(KeptFlash, IsFoundAgain) {
  {
    const auto store = FlashStore::kept_in(folder / "unit.flash", 4096);
    ASSERT_TRUE(store) << store.error();
    EXPECT_EQ(store->cells()[4095], 0xff);
    store->cells()[4095] = 0x42;
  }
  const auto again = FlashStore::kept_in(folder / "unit.flash", 4096);
  ASSERT_TRUE(again) << again.error();
  EXPECT_EQ(again->cells()[4095], 0x42);
}

TEST_F(KeptFlash, TakesAShorterFileForErasedFlashBehindIt) {
  std::ofstream(folder / "unit.flash") << "image";
  const auto store = FlashStore::kept_in(folder / "unit.flash", 4096);
  ASSERT_TRUE(store) << store.error();
  EXPECT_EQ(store->cells()[0], 'i');
  EXPECT_EQ(store->cells()[5], 0xff);
}

TEST_F(KeptFlash, RefusesALongerFileAndOneInUse) {
  std::ofstream(folder / "long.flash") << "12345";
  const auto longer = FlashStore::kept_in(folder / "long.flash", 4);
  ASSERT_FALSE(longer);
  EXPECT_NE(longer.error().find("has 5 bytes"), std::string::npos) << longer.error();

  const auto first = FlashStore::kept_in(folder / "unit.flash", 4096);
  const auto second = FlashStore::kept_in(folder / "unit.flash", 4096);
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().find("in use"), std::string::npos) << second.error();
  EXPECT_FALSE(FlashStore::kept_in(folder / "none" / "unit.flash", 4096));
}

}  // namespace
}  // namespace virtual_lab
