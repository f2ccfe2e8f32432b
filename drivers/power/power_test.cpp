#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "drivers/power/hub_power.h"
#include "drivers/power/power_switch.h"
#include "harness/base/temporary_folder.h"

namespace hilmark {
namespace {

using testing::HasSubstr;

class Power : public testing::Test {
 protected:
  [[nodiscard]] Deadline in(int milliseconds) const { return {clock, Milliseconds{milliseconds}}; }
  SystemClock clock;
};

TEST_F(Power, CommandsAreRunWithTheirState) {
  const auto folder = TemporaryFolder::make();
  const std::string log = (folder->path() / "log").string();
  const auto bench = make_command_switch(
      {.on = "echo on >> " + log, .off = "echo off >> " + log, .boot_pin = "echo pin {state} >> " + log});
  for (const PowerAction action :
       {PowerAction::boot_pin_on, PowerAction::off, PowerAction::on, PowerAction::boot_pin_off}) {
    EXPECT_TRUE(bench->can(action));
    ASSERT_TRUE(bench->act(action, in(5000)));
  }
  EXPECT_EQ(as_text(read_file(log).value()), "pin on\noff\non\npin off\n");
}

TEST_F(Power, WhatTheBenchCannotIsToldByName) {
  const auto bench = make_command_switch({.cycle = "true"});
  EXPECT_FALSE(bench->can(PowerAction::off));
  const auto done = bench->act(PowerAction::boot_pin_on, in(1000));
  EXPECT_EQ(done.error().kind, ErrorKind::usage);
  EXPECT_THAT(done.error().message, HasSubstr("boot pin on"));
  EXPECT_FALSE(make_command_switch({.hub = "1", .port = 1})->can(PowerAction::on)) << "no USB at hand";
}

TEST_F(Power, AFailingCommandIsQuotedWithItsOutput) {
  const auto done = make_command_switch({.cycle = "echo relay is stuck; exit 3"})->act(PowerAction::cycle, in(5000));
  ASSERT_FALSE(done);
  EXPECT_THAT(done.error().message, HasSubstr("relay is stuck"));
  EXPECT_THAT(done.error().message, HasSubstr("exit status 3"));
}

TEST_F(Power, AHangingCommandEndsWithTheDeadline) {
  const auto done = make_command_switch({.cycle = "sleep 60"})->act(PowerAction::cycle, in(50));
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().kind, ErrorKind::timeout);
}

TEST(HubPower, OnlyHubsThatSwitchPortsOneByOneWillDo) {
  EXPECT_TRUE(check_hub_descriptor(Bytes{9, 0x29, 4, 0x09, 0x00}, 4));
  EXPECT_THAT(check_hub_descriptor(Bytes{9, 0x29, 4, 0x09, 0x00}, 5).error().message, HasSubstr("ports 1 to 4, not 5"));
  EXPECT_THAT(check_hub_descriptor(Bytes{9, 0x29, 4, 0x09, 0x00}, 0).error().message, HasSubstr("not 0"));
  EXPECT_THAT(check_hub_descriptor(Bytes{9, 0x29, 4, 0x08, 0x00}, 1).error().message, HasSubstr("one by one"));
  EXPECT_THAT(check_hub_descriptor(Bytes{9, 0x29, 4, 0x0a, 0x00}, 1).error().message, HasSubstr("one by one"));
  EXPECT_THAT(check_hub_descriptor(Bytes{}, 1).error().message, HasSubstr("no hub descriptor"));
}

}  // namespace
}  // namespace hilmark
