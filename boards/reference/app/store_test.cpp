#include "app/store.h"

#include <cstring>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "tests/fake_port.h"

namespace {

// Settings that tell which save they are of in a field at the front and one at the back.
settings numbered(unsigned number, std::size_t pem_bytes = 9000) {
  settings made;
  settings_set_defaults(&made);
  std::snprintf(made.endpoint, sizeof made.endpoint, "endpoint-%u", number);
  std::memset(made.root_ca, 'r', pem_bytes);
  std::memset(made.certificate, static_cast<int>('a' + number % 26), pem_bytes);
  made.port = 1000 + number;
  made.has_key = 1;
  std::memset(made.key, static_cast<int>(number), sizeof made.key);
  return made;
}

bool same(const settings& a, const settings& b) {
  return std::strcmp(a.endpoint, b.endpoint) == 0 && std::strcmp(a.root_ca, b.root_ca) == 0 &&
         std::strcmp(a.certificate, b.certificate) == 0 && a.port == b.port && a.has_key == b.has_key &&
         std::memcmp(a.key, b.key, sizeof a.key) == 0 && std::strcmp(a.thing_name, b.thing_name) == 0;
}

settings defaults() {
  settings made;
  settings_set_defaults(&made);
  return made;
}

// What a boot would find now.
settings after_boot(port_storage& flash) {
  flash.cut_at = std::numeric_limits<std::size_t>::max();
  auto opened = std::make_unique<store>();
  settings found;
  EXPECT_TRUE(store_open(opened.get(), &flash, &found));
  return found;
}

class Store : public testing::Test {
 protected:
  void open() {
    settings found;
    ASSERT_TRUE(store_open(store_.get(), &flash_, &found));
  }

  void cut_at_next(std::size_t change, Cut cut) {
    flash_.cut_at = flash_.changes + change;
    flash_.cut = cut;
  }

  port_storage flash_;
  std::unique_ptr<store> store_ = std::make_unique<store>();
};

TEST_F(Store, AnEmptyFlashGivesTheDefaultsAndIsNotWritten) {
  EXPECT_TRUE(same(after_boot(flash_), defaults()));
  EXPECT_EQ(flash_.changes, 0U);
}

TEST_F(Store, GivesBackWhatWasSavedLast) {
  open();
  for (unsigned number = 0; number < 40; number++) {
    const settings wanted = numbered(number, std::size_t{250} * number);
    ASSERT_TRUE(store_save(store_.get(), &wanted));
    ASSERT_TRUE(same(after_boot(flash_), wanted)) << number;
    if (number % 3 == 0) open();
  }
  EXPECT_EQ(flash_.programmed_twice, 0U);
}

TEST_F(Store, ErasesOnlyWhenASectorIsFull) {
  open();
  const settings small = numbered(1, 2000);
  for (int i = 0; i < 25; i++) ASSERT_TRUE(store_save(store_.get(), &small));
  EXPECT_EQ(flash_.erasures, 1U);
}

// The claim of the file: whatever the instant, and however far the change came, the old or the new is found.
TEST_F(Store, APowerCutAtAnyChangeLeavesTheOldOrTheNew) {
  std::size_t cuts = 0;
  for (const Cut cut : {Cut::kBefore, Cut::kFirstByte, Cut::kHalf, Cut::kAllButOne, Cut::kLatterHalf}) {
    flash_ = port_storage();
    settings old = defaults();
    for (unsigned number = 1; number <= 9; number++) {  // six fit into a sector
      const settings wanted = numbered(number);
      for (std::size_t change = 0;; change++) {
        port_storage tried = flash_;
        std::swap(tried, flash_);
        open();
        cut_at_next(change, cut);
        const bool saved = store_save(store_.get(), &wanted);
        const settings found = after_boot(flash_);
        ASSERT_TRUE(same(found, saved ? wanted : old) || (!saved && same(found, wanted)))
            << "save " << number << ", change " << change << ", cut " << static_cast<int>(cut);
        open();
        const settings next = numbered(100 + number);
        ASSERT_TRUE(store_save(store_.get(), &next));
        ASSERT_TRUE(same(after_boot(flash_), next));
        ASSERT_EQ(flash_.programmed_twice, 0U);
        std::swap(tried, flash_);
        cuts++;
        if (saved) break;
      }
      open();
      ASSERT_TRUE(store_save(store_.get(), &wanted));
      old = wanted;
    }
  }
  EXPECT_GT(cuts, 5U * 9U * 5U);
}

TEST_F(Store, AFailedSaveWithoutAPowerCutLeavesAUsableStore) {
  open();
  settings old = numbered(1);
  ASSERT_TRUE(store_save(store_.get(), &old));
  cut_at_next(1, Cut::kHalf);
  const settings wanted = numbered(2);
  EXPECT_FALSE(store_save(store_.get(), &wanted));
  flash_.cut_at = std::numeric_limits<std::size_t>::max();
  EXPECT_TRUE(store_save(store_.get(), &wanted));
  EXPECT_TRUE(same(after_boot(flash_), wanted));
  EXPECT_EQ(flash_.programmed_twice, 0U);
}

bool holds(const port_storage& flash, const std::string& text) {
  for (const auto& sector : flash.sectors) {
    if (std::string(sector.begin(), sector.end()).find(text) != std::string::npos) return true;
  }
  return false;
}

TEST_F(Store, AWipeCutAtAnyChangeLeavesTheOldOrNothing) {
  for (unsigned saves = 1; saves <= 8; saves++) {
    for (const Cut cut : {Cut::kBefore, Cut::kFirstByte, Cut::kHalf, Cut::kAllButOne, Cut::kLatterHalf}) {
      for (std::size_t change = 0;; change++) {
        flash_ = port_storage();
        open();
        for (unsigned number = 1; number <= saves; number++) {
          const settings wanted = numbered(number);
          ASSERT_TRUE(store_save(store_.get(), &wanted));
        }
        cut_at_next(change, cut);
        const bool wiped = store_wipe(store_.get());
        const settings found = after_boot(flash_);
        ASSERT_TRUE(same(found, defaults()) || (!wiped && same(found, numbered(saves))));
        if (same(found, defaults())) {
          EXPECT_FALSE(holds(flash_, "endpoint-"));
        }
        if (wiped) break;
      }
    }
  }
}

TEST_F(Store, AFlippedBitMakesTheRecordBeforeItCount) {
  open();
  const settings first = numbered(1);
  const settings second = numbered(2);
  ASSERT_TRUE(store_save(store_.get(), &first));
  const std::uint32_t second_at = store_->next_offset;
  ASSERT_TRUE(store_save(store_.get(), &second));
  for (const std::uint32_t at : {0U, 5U, 9U, 13U, 29U, 32U, 5000U}) {
    flash_.sectors[0][second_at + at] ^= 1;
    EXPECT_TRUE(same(after_boot(flash_), first)) << at;
    flash_.sectors[0][second_at + at] ^= 1;
  }
  EXPECT_TRUE(same(after_boot(flash_), second));
}

TEST_F(Store, GarbageInFlashIsNoRecord) {
  for (auto& sector : flash_.sectors) {
    for (std::size_t i = 0; i < sector.size(); i++) sector[i] = static_cast<std::uint8_t>(i * 31 + i / 257);
  }
  EXPECT_TRUE(same(after_boot(flash_), defaults()));
  open();
  const settings wanted = numbered(1);
  ASSERT_TRUE(store_save(store_.get(), &wanted));
  EXPECT_TRUE(same(after_boot(flash_), wanted));
}

}  // namespace
