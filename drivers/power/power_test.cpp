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

TEST(HubPower, ASuperSpeedHubSaysItInADescriptorOfItsOwn) {
  const Bytes descriptor{12, 0x2a, 4, 0x09, 0, 10, 0, 4, 0, 0, 0, 0};
  EXPECT_TRUE(check_hub_descriptor(descriptor, 4));
  EXPECT_THAT(check_hub_descriptor(descriptor, 5).error().message, HasSubstr("ports 1 to 4, not 5"));
  EXPECT_THAT(check_hub_descriptor(Bytes{9, 0x2b, 4, 0x09, 0x00}, 1).error().message, HasSubstr("no hub descriptor"));
  EXPECT_FALSE(check_hub_descriptor(Bytes{4, 0x2a, 4, 0x09}, 1)) << "cut short";
}

TEST(HubPower, TheHalvesOfAHubHaveOneContainerId) {
  const Bytes one(16, 0x11);
  const Bytes two(16, 0x22);
  EXPECT_EQ(other_half({"1-4", one}, {{"2", {}}, {"2-3", one}, {"2-4", two}}), "2-3");
  EXPECT_EQ(other_half({"2-3", one}, {{"1-4", one}}), "1-4");
  EXPECT_EQ(other_half({"1-4", one}, {{"2-4", two}}), "");
  EXPECT_EQ(other_half({"1-4", one}, {}), "");
  EXPECT_EQ(other_half({"1-4", {}}, {{"2-4", {}}}), "") << "no id is none";
}

TEST(HubPower, WhereSeveralHubsHaveOneContainerIdTheWayDownTells) {
  const Bytes same(16, 0x11);
  const std::vector<HubHalf> others{{"2-4", same}, {"2-4.1", same}, {"2-5", same}};
  EXPECT_EQ(other_half({"1-4", same}, others), "2-4");
  EXPECT_EQ(other_half({"1-4.1", same}, others), "2-4.1");
  EXPECT_EQ(other_half({"1-6", same}, others), "") << "it cannot be told";
  EXPECT_EQ(other_half({"1-4", same}, {{"2-4", same}, {"4-4", same}}), "");
}

TEST(HubPower, ALinkInSysNamesThePortWithTheSameConnector) {
  EXPECT_EQ(peer_port("../../../../usb2/2-4/2-4:1.0/2-4-port2"), (HubPort{"2-4", 2}));
  EXPECT_EQ(peer_port("../../../2-4.1/2-4.1:1.0/2-4.1-port14"), (HubPort{"2-4.1", 14}));
  EXPECT_EQ(peer_port("../../../usb2/2-0:1.0/usb2-port1"), (HubPort{"2", 1}));
  for (const char* none : {"", "/", "2-4", "2-4-port", "2-4-port0", "2-4-port-1", "2-4-port2x", "-port2", "usb-port2",
                           "2-4-port99999999999", "2-4-port2/"}) {
    EXPECT_FALSE(peer_port(none)) << none;
  }
}

}  // namespace
}  // namespace hilmark
