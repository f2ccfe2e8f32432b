#include "suites/key_history.h"

#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/base/bytes.h"
#include "harness/base/temporary_folder.h"

namespace hilmark::suites {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;

std::string key(char letter) { return std::string(64, letter); }

class History : public testing::Test {
 protected:
  KeyHistory::Others add(const std::string& unit, const std::set<std::string>& keys) const {
    auto others = KeyHistory(file).add(unit, keys);
    EXPECT_TRUE(others) << others.error().message;
    return others.value_or(KeyHistory::Others{});
  }
  [[nodiscard]] std::string text() const { return as_text(read_file(file).value()); }

  TemporaryFolder folder = std::move(*TemporaryFolder::make());
  std::filesystem::path file = folder.path() / "state" / "public_keys";
};

TEST_F(History, TheFirstUnitIsComparedWithNobody) {
  const auto others = add("one", {key('a')});
  EXPECT_THAT(others.units, IsEmpty());
  EXPECT_THAT(others.shared, IsEmpty());
  EXPECT_EQ(text(), key('a') + " one\n");
}

TEST_F(History, TheSameUnitMayKeepItsKey) {
  for (int round = 0; round < 3; ++round) EXPECT_THAT(add("one", {key('a')}).shared, IsEmpty());
  EXPECT_EQ(text(), key('a') + " one\n") << "and it is remembered once";
}

TEST_F(History, TwoUnitsWithOneKeyAreTold) {
  (void)add("one", {key('a'), key('b')});
  const auto others = add("two", {key('b'), key('c')});
  EXPECT_THAT(others.units, ElementsAre("one"));
  EXPECT_THAT(others.shared, ElementsAre(Pair(key('b'), "one")));
  EXPECT_THAT(add("one", {key('b')}).shared, ElementsAre(Pair(key('b'), "two"))) << "the other one is no better";
}

TEST_F(History, UnitsAtTheSameTimeMissNoneOfTheOthers) {
  std::vector<std::thread> units;
  std::vector<std::size_t> shared(8);
  for (std::size_t i = 0; i < shared.size(); ++i) {
    units.emplace_back([&, i] { shared[i] = add(fmt::format("unit-{}", i), {key('a')}).shared.size(); });
  }
  for (std::thread& unit : units) unit.join();
  std::sort(shared.begin(), shared.end());
  EXPECT_THAT(shared, ElementsAre(0, 1, 2, 3, 4, 5, 6, 7));
}

TEST_F(History, WhatIsNoLineIsPassedOver) {
  std::filesystem::create_directory(file.parent_path());
  ASSERT_TRUE(write_file(file, "\nshort x\n" + key('a') + " one\n" + key('b').substr(1)));
  EXPECT_THAT(add("two", {key('a')}).shared, SizeIs(1));
  EXPECT_THAT(add("three", {key('a')}).shared, SizeIs(2)) << "a line that was cut short took the next one with it";
}

TEST_F(History, ItDoesNotGrowForEver) {
  std::string much;
  for (std::size_t i = 0; i < KeyHistory::max_lines; ++i) much += fmt::format("{:064x} one\n", i);
  std::filesystem::create_directory(file.parent_path());
  ASSERT_TRUE(write_file(file, much));
  EXPECT_THAT(add("two", {key('a')}).units, SizeIs(1));
  EXPECT_LT(text().size(), much.size() * 6 / 10);
  EXPECT_THAT(add("three", {key('a')}).shared, SizeIs(1)) << "what is new was kept";
}

TEST_F(History, AFileThatCannotBeHadIsTheRigsTrouble) {
  const auto none = KeyHistory("/proc/none/public_keys").add("one", {key('a')});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().kind, ErrorKind::rig);
  EXPECT_THAT(none.error().message, HasSubstr("/proc/none/public_keys"));
}

}  // namespace
}  // namespace hilmark::suites
