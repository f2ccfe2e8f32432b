#include "harness/inventory/bench.h"

#include <cstdlib>

#include <boost/json/value_from.hpp>
#include <boost/json/value_to.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/base/bytes.h"
#include "harness/base/temporary_folder.h"

namespace hilmark {
namespace {

using testing::HasSubstr;

class BenchOf : public testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(folder_.path() / "boards" / "chips");
    std::filesystem::create_directories(folder_.path() / "boards" / "commands");
    put("boards/commands/at.yaml",
        "version: 1\nline_end: \"\\n\"\ncommands:\n  echo: {send: \"ECHO {text}\", expect: \"^(.*)$\"}\n"
        "  reset: {send: \"RESET\", expect: \"^OK$\"}\n");
    put("boards/chips/c1.yaml",
        "version: 1\nflasher: {protocol: dfuse, layout: \"@Flash /0x00000000/1*001Kg\"}\nimage: {formats: [bin], base: "
        "0, max_bytes: 10}\n");
    put("boards/b1.yaml", R"(version: 1
chip: c1
states: {bootloader: "0483:df11", application: "0483:5740"}
console: {transport: cdc-acm, commands: at}
capabilities: [reset, power]
timing: {boot_ms: 1, connect_ms: 2}
)");
  }
  void put(const std::string& name, const std::string& text) { ASSERT_TRUE(write_file(folder_.path() / name, text)); }
  Result<Bench> with_unit(const std::string& unit) {
    put("lab.yaml",
        "version: 1\ncloud: {accounts: [\"111111111111\", \"222222222222\"], regions: [us-east-1]}\nunits:\n  - {" +
            unit + "}\n");
    return read_bench(folder_.path() / "lab.yaml", folders_);
  }
  TemporaryFolder folder_ = TemporaryFolder::make().value();
  BoardFolders folders_{{folder_.path() / "boards"}};
  const std::string virtual_unit_ =
      "id: v, kind: virtual, board: b1, virtual: {port: \"1-1\", serial: S, core: native}";
};

TEST_F(BenchOf, TheLabsWordStandsOverTheBoards) {
  const auto bench = with_unit(virtual_unit_ + ", timing: {connect_ms: 20}, power: {hub: \"1\", port: 1}");
  ASSERT_TRUE(bench) << bench.error().message;
  const BenchUnit& unit = bench->units.at(0);
  EXPECT_EQ(unit.limits().boot, Milliseconds(1));
  EXPECT_EQ(unit.limits().connect, Milliseconds(20));
  EXPECT_EQ(unit.limits().handshake, Timing{}.handshake) << "the catalogue's";
  EXPECT_EQ(unit.image.max_bytes, 10U);
  EXPECT_TRUE(unit.can(Capability::power));
}

TEST_F(BenchOf, WithoutASwitchThereIsNoPowerToCut) {
  EXPECT_FALSE(with_unit(virtual_unit_)->units.at(0).can(Capability::power));
}

TEST_F(BenchOf, WhatIsResetHasAVerbForItOrAPowerSwitch) {
  put("boards/commands/at.yaml", "version: 1\ncommands:\n  echo: {send: \"ECHO {text}\", expect: \"^(.*)$\"}\n");
  const auto refused = with_unit(virtual_unit_);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message,
              testing::AllOf(HasSubstr("lab.yaml:4: unit v: capability reset needs the verb `reset` in"),
                             HasSubstr("at.yaml, or `power` in the lab file")));
  EXPECT_TRUE(with_unit(virtual_unit_ + ", power: {hub: \"1\", port: 1}"));
}

TEST_F(BenchOf, AnUnknownBoardIsToldWithItsPlaceAndWhatThereIs) {
  const auto bench = with_unit("id: v, kind: virtual, board: b2, virtual: {port: \"1-1\", serial: S, core: native}");
  ASSERT_FALSE(bench);
  EXPECT_THAT(bench.error().message,
              testing::AllOf(HasSubstr("lab.yaml:4: unit v: no board `b2`"), HasSubstr("did you mean b1?")));
}

TEST_F(BenchOf, ABoardOnAnUnknownChipIsTold) {
  std::filesystem::remove(folder_.path() / "boards/chips/c1.yaml");
  EXPECT_THAT(with_unit(virtual_unit_).error().message,
              testing::AllOf(HasSubstr("b1.yaml:2: no chip `c1`"), HasSubstr("there is none")));
}

TEST_F(BenchOf, AVirtualUnitNeedsItsLab) {
  BenchUnit unit = with_unit(virtual_unit_)->units.at(0);
  const auto outside = find_virtual_unit(unit, "my/lab.yaml", std::nullopt);
  EXPECT_THAT(outside.error().message, HasSubstr("virtual-lab --lab my/lab.yaml -- hilmark"));
  const std::vector<VirtualBoard> others{{"w", "1-1", "S", "c1", 5}};
  EXPECT_THAT(find_virtual_unit(unit, "lab.yaml", others).error().message, HasSubstr("has no board v"));
  const std::vector<VirtualBoard> boards{{"v", "1-1", "S", "c1", 5}};
  ASSERT_TRUE(find_virtual_unit(unit, "lab.yaml", boards));
  EXPECT_EQ(unit.namespace_pid, 5);
}

TEST_F(BenchOf, TheLabAroundUsIsReadFromItsRoot) {
  ::unsetenv("UMOCKDEV_DIR");
  EXPECT_EQ(surrounding_virtual_lab().value(), std::nullopt);
  ::setenv("UMOCKDEV_DIR", folder_.path().c_str(), 1);
  EXPECT_THAT(surrounding_virtual_lab().error().message, HasSubstr("no virtual lab"));
  put("lab.json",
      R"({"version":1,"control":"x","boards":[{"unit":"v","port":"1-1","serial":"S","chip":"c1","namespace_pid":123}]})");
  EXPECT_EQ(surrounding_virtual_lab().value()->at(0).namespace_pid, 123);
  put("lab.json", "{}");
  EXPECT_FALSE(surrounding_virtual_lab());
  ::unsetenv("UMOCKDEV_DIR");
}

TEST_F(BenchOf, AUnitSurvivesItsWayToTheWorker) {
  const BenchUnit unit = with_unit(virtual_unit_ + ", timing: {connect_ms: 20}, power: {cycle: x}")->units.at(0);
  const auto again = boost::json::value_to<BenchUnit>(boost::json::value_from(unit));
  EXPECT_EQ(boost::json::value_from(again), boost::json::value_from(unit));
  EXPECT_EQ(again.timing.connect_ms, 20);
  EXPECT_FALSE(again.timing.watch_ms);
}

TEST_F(BenchOf, AnyFileIsCheckedByWhatItHolds) {
  EXPECT_TRUE(check_file(folder_.path() / "boards/b1.yaml", folders_));
  EXPECT_TRUE(check_file(folder_.path() / "boards/chips/c1.yaml", folders_));
  EXPECT_TRUE(check_file(folder_.path() / "boards/commands/at.yaml", folders_));
  put("bad.yaml", "version: 1\nchip: c9\n");
  EXPECT_THAT(check_file(folder_.path() / "bad.yaml", folders_).error().message,
              HasSubstr("bad.yaml:1:1: expected `states`"));
}

TEST_F(BenchOf, WhatABoardCanDoItsCommandsCanSay) {
  put("boards/b2.yaml", R"(version: 1
chip: c1
states: {bootloader: "0483:df11", application: "0483:5740"}
console: {transport: cdc-acm, commands: at}
capabilities: [reset, endpoint]
)");
  const std::string lacks = "`endpoint` (for capability endpoint)";
  EXPECT_THAT(check_file(folder_.path() / "boards/b2.yaml", folders_).error().message, HasSubstr(lacks));
  const auto bench = with_unit("id: v, kind: virtual, board: b2, virtual: {port: \"1-1\", serial: S, core: native}");
  ASSERT_FALSE(bench);
  EXPECT_EQ(bench.error().kind, ErrorKind::usage);
  EXPECT_THAT(bench.error().message, HasSubstr(lacks));
}

TEST(TheRigsOwnFiles, AreValid) {
  const BoardFolders folders({"boards"});
  for (const char* file : {"boards/virtual/lab.yaml", "boards/process/lab.yaml", "boards/virtual_stm32f4.yaml",
                           "boards/virtual_stm32h7.yaml", "boards/chips/stm32f4.yaml", "boards/chips/stm32h7.yaml",
                           "boards/commands/expresslink.yaml"}) {
    const auto checked = check_file(file, folders);
    EXPECT_TRUE(checked) << checked.error().message;
  }
}

}  // namespace
}  // namespace hilmark
