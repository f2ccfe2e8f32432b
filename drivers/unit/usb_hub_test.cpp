// Power by the ports of USB 3 hubs, with uhubctl as witness. Runs inside of virtual-lab with boards/virtual/hub.yaml.
#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "drivers/image/firmware_image.h"
#include "drivers/power/hub_power.h"
#include "drivers/unit/usb_unit.h"
#include "drivers/usb/usb_lab_testing.h"

namespace hilmark {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr UsbId bootloader_id{0x0483, 0xdf11};
constexpr UsbId application_id{0x0483, 0x5740};
constexpr std::uint32_t base = 0x08000000;
constexpr std::uint32_t max_image_bytes = 1'572'864;

/// A board behind a hub: the halves of that, and its port.
struct Bench {
  std::string hub;
  std::string twin;
  int port = 0;

  [[nodiscard]] std::string board() const { return fmt::format("{}.{}", hub, port); }
  friend std::ostream& operator<<(std::ostream& out, const Bench& bench) { return out << bench.board(); }
};
const Bench by_container_id{"1-4", "2-4", 2};
const Bench by_peer{"1-5", "2-5", 1};

class Hub : public InVirtualLab {
 protected:
  [[nodiscard]] Deadline soon() const { return {clock, Milliseconds{10'000}}; }
  [[nodiscard]] std::string uhubctl(const std::string& arguments) const {
    return shell("PATH=\"$PATH:/usr/sbin\" uhubctl " + arguments);
  }
  [[nodiscard]] boost::json::value status_of(const std::string& board) const {
    return boost::json::parse(ctl("status " + board));
  }
  /// "  Port 2: 0100 power", of a half and a port of it.
  [[nodiscard]] std::string port_line(const std::string& hub, int port) const {
    const std::string all = uhubctl(fmt::format("-e -l {} -p {}", hub, port));
    const std::size_t at = all.find(fmt::format("  Port {}: ", port));
    return at == std::string::npos ? all : all.substr(at, all.find('\n', at) - at);
  }
  [[nodiscard]] bool comes(const std::string& board) const {
    return UsbPortWatcher(*usb, board).wait_arrival({bootloader_id, application_id}, 0, soon()).has_value();
  }
  [[nodiscard]] bool goes(const std::string& board) const {
    return usb->wait([&] { return !usb->at(board); }, soon());
  }

  std::unique_ptr<Unit> flashed(const Bench& bench) {
    UsbUnitConfig config;
    config.info.id = "behind-" + bench.hub;
    config.info.kind = UnitKind::virtual_board;
    config.info.port = bench.board();
    config.bootloader = bootloader_id;
    config.application = application_id;
    config.flasher = {.protocol = "dfuse",
                      .layout = "@Internal Flash /0x08000000/16*128Kg",
                      .base = base,
                      .max_bytes = max_image_bytes};
    config.commands_file = "boards/commands/expresslink.yaml";
    config.power = {.hub = bench.hub, .port = bench.port};
    config.power_off = Milliseconds{20};
    auto made = make_usb_unit(std::move(config), *usb, clock, evidence);
    EXPECT_TRUE(made) << made.error().message;
    const ImageRules rules{"stm32h7", {"hilmark", "bin"}, base, max_image_bytes, bootloader_id};
    const auto report =
        (*made)->flash(load_firmware_image(environment("HILMARK_IMAGES") + "/golden.img", rules).value(), {});
    EXPECT_TRUE(report) << report.error().message;
    return std::move(*made);
  }

  EvidenceLog evidence{clock};
};

class EachHub : public Hub, public testing::WithParamInterface<Bench> {};

TEST_P(EachHub, WhatIsSwitchedOffIsOffToUhubctlInBothHalves) {
  const Bench bench = GetParam();
  ASSERT_TRUE(comes(bench.board()));
  // Whichever half is named.
  for (const std::string& named : {bench.hub, bench.twin}) {
    SCOPED_TRACE(named);
    const auto off = switch_hub_port(*usb, {named, bench.port}, false);
    ASSERT_TRUE(off) << off.error().message;
    EXPECT_TRUE(goes(bench.board()));
    EXPECT_THAT(port_line(bench.hub, bench.port), HasSubstr(": 0000 off"));
    EXPECT_THAT(port_line(bench.twin, bench.port), HasSubstr(": 0080 off"));
    EXPECT_STREQ(status_of(bench.board()).at("state").as_string().c_str(), "unpowered");
    EXPECT_THAT(port_line(bench.hub, 2 - bench.port / 2), HasSubstr("power")) << "another port";
    const auto on = switch_hub_port(*usb, {named, bench.port}, true);
    ASSERT_TRUE(on) << on.error().message;
    EXPECT_TRUE(comes(bench.board()));
    EXPECT_THAT(port_line(bench.hub, bench.port), AllOf(HasSubstr("power"), HasSubstr("connect"), HasSubstr("0483:")));
    EXPECT_THAT(port_line(bench.twin, bench.port), HasSubstr("power"));
  }
}

TEST_P(EachHub, WhatUhubctlSwitchesOffIsGone) {
  const Bench bench = GetParam();
  ASSERT_TRUE(comes(bench.board()));
  // It finds halves by their container ids alone, so that of the other hub both are named.
  for (const char* action : {"off", "on"}) {
    for (const std::string& half : {bench.hub, bench.twin}) {
      (void)uhubctl(fmt::format("-e -l {} -p {} -a {}", half, bench.port, action));
    }
    EXPECT_TRUE(std::string_view(action) == "off" ? goes(bench.board()) : comes(bench.board())) << action;
  }
}

TEST_P(EachHub, ItsBoardReallyStartsAnewAfterAPowerCycle) {
  const Bench bench = GetParam();
  const auto board = flashed(bench);
  const auto before = status_of(bench.board()).at("core_pid").as_int64();
  const auto cut = board->power_cycle();
  ASSERT_TRUE(cut) << cut.error().message;
  EXPECT_NE(status_of(bench.board()).at("core_pid").as_int64(), before) << "it lost its data, and not its power";
}

TEST_P(EachHub, WithOneHalfSwitchedItsBoardLeavesTheBusAndRunsOn) {
  const Bench bench = GetParam();
  const auto board = flashed(bench);
  const auto before = status_of(bench.board()).at("core_pid").as_int64();
  (void)uhubctl(fmt::format("-e -l {} -p {} -a off", bench.hub, bench.port));
  EXPECT_TRUE(goes(bench.board()));
  EXPECT_EQ(status_of(bench.board()).at("core_pid").as_int64(), before);
  (void)uhubctl(fmt::format("-e -l {} -p {} -a on", bench.hub, bench.port));
  EXPECT_TRUE(comes(bench.board()));
  EXPECT_EQ(status_of(bench.board()).at("core_pid").as_int64(), before);
}

INSTANTIATE_TEST_SUITE_P(Known, EachHub, testing::Values(by_container_id, by_peer),
                         [](const auto& tried) { return tried.param.hub == "1-4" ? "ByContainerId" : "ByPeer"; });

TEST_F(Hub, TheRootHubHasNoOtherHalf) {
  ASSERT_TRUE(comes("1-1"));
  ASSERT_TRUE(switch_hub_port(*usb, {"1", 1}, false));
  EXPECT_TRUE(goes("1-1"));
  ASSERT_TRUE(switch_hub_port(*usb, {"1", 1}, true));
  EXPECT_TRUE(comes("1-1"));
}

TEST_F(Hub, WhatIsNoHubOrCannotSwitchIsRefusedByName) {
  ASSERT_TRUE(comes("1-1"));
  const auto board = switch_hub_port(*usb, {"1-1", 1}, false);
  EXPECT_THAT(board.error().message, HasSubstr("at port 1-1 is no hub"));
  const auto nothing = switch_hub_port(*usb, {"1-9", 1}, false);
  EXPECT_THAT(nothing.error().message, HasSubstr("there is no hub at 1-9"));
  const auto fixed = switch_hub_port(*usb, {"2", 1}, false);
  EXPECT_THAT(fixed.error().message, AllOf(HasSubstr("at port 2"), HasSubstr("does not switch its ports one by one")));
  const auto beyond = switch_hub_port(*usb, {"1-5", 3}, false);
  EXPECT_THAT(beyond.error().message, HasSubstr("ports 1 to 2, not 3"));
  for (const auto* error : {&board, &nothing, &fixed, &beyond}) EXPECT_EQ(error->error().kind, ErrorKind::usage);
  EXPECT_TRUE(usb->at("1-1"));
}

}  // namespace
}  // namespace hilmark
