// A board that is seen through a probe alone: the application's own USB device plays the probe, so that the bench's
// hands are what restarts it. Runs inside of virtual-lab with boards/virtual/lab.yaml.
#include <csignal>
#include <future>

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "drivers/image/firmware_image.h"
#include "drivers/unit/usb_unit.h"
#include "drivers/usb/usb_lab_testing.h"

namespace hilmark {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;

constexpr UsbId bootloader_id{0x0483, 0xdf11};
constexpr UsbId application_id{0x0483, 0x5740};
constexpr std::uint32_t base = 0x08000000;
constexpr std::uint32_t max_image_bytes = 1'572'864;
const std::string hands = "\"$HILMARK_VIRTUAL_LAB\" ctl ";

class BehindAProbe : public InVirtualLab {
 protected:
  void SetUp() override {
    InVirtualLab::SetUp();
    UsbUnitConfig config = common();
    config.bootloader = bootloader_id;
    config.application = application_id;
    config.flasher = {.protocol = "dfuse",
                      .layout = "@Internal Flash /0x08000000/16*128Kg",
                      .base = base,
                      .max_bytes = max_image_bytes};
    config.power = {.hub = "1", .port = 1, .boot_pin = hands + "boot-pin 1-1 {state}"};
    const auto board = made(config);
    const ImageRules rules{"stm32h7", {"hilmark", "bin"}, base, max_image_bytes, bootloader_id};
    const auto image = load_firmware_image(environment("HILMARK_IMAGES") + "/golden.img", rules);
    ASSERT_TRUE(image) << image.error().message;
    const auto report = board->flash(*image, {});
    ASSERT_TRUE(report) << report.error().message;
  }

  static UsbUnitConfig common() {
    UsbUnitConfig config;
    config.info.id = "behind-a-probe";
    config.info.kind = UnitKind::virtual_board;
    config.info.port = "1-1";
    config.info.timing.boot = Milliseconds{8000};
    config.commands_file = "boards/commands/expresslink.yaml";
    config.power_off = Milliseconds{20};
    return config;
  }
  static UsbUnitConfig config() {
    UsbUnitConfig config = common();
    config.probe = {application_id};
    config.flasher = {.protocol = "tool",
                      .layout = "@Internal Flash /0x08000000/16*128Kg",
                      .base = base,
                      .max_bytes = max_image_bytes};
    config.flasher.tool.name = "hands";
    config.flasher.tool.install = "comes with the lab";
    config.flasher.tool.write.command = {"/bin/sh", "-c", "false {image}"};
    config.flasher.tool.start.command = {"/bin/sh", "-c", hands + "reset 1-1"};
    config.power = {.on = hands + "power 1-1 on", .off = hands + "power 1-1 off"};
    return config;
  }
  std::unique_ptr<Unit> made(UsbUnitConfig with) {
    auto unit = make_usb_unit(std::move(with), *usb, clock, evidence);
    EXPECT_TRUE(unit) << unit.error().message;
    return std::move(*unit);
  }
  [[nodiscard]] std::vector<std::string> rig_kinds(std::uint64_t after) const {
    std::vector<std::string> found;
    for (const auto& piece : evidence.all([](const Evidence& one) { return one.source == "rig"; }, after)) {
      found.push_back(piece->kind);
    }
    return found;
  }

  EvidenceLog evidence{clock};
};

TEST_F(BehindAProbe, AResetByTheProbeIsMarked) {
  const auto board = made(config());
  const std::uint64_t mark = evidence.newest();
  const auto reset = board->reset();
  ASSERT_TRUE(reset) << reset.error().message;
  EXPECT_THAT(rig_kinds(mark), testing::IsSupersetOf({"reset", "restarted"}));
  EXPECT_TRUE(board->shows_life());
}

TEST_F(BehindAProbe, APowerCutIsMarkedAndProvenByItsConsole) {
  const auto board = made(config());
  ASSERT_TRUE(board->start());
  const std::uint64_t mark = evidence.newest();
  const auto cycled = board->power_cycle();
  ASSERT_TRUE(cycled) << cycled.error().message;
  EXPECT_THAT(rig_kinds(mark), testing::IsSupersetOf({"power_cut", "restarted"}));
}

TEST_F(BehindAProbe, APowerSwitchMayActAfterItsCommandIsDone) {
  UsbUnitConfig with = config();
  with.power.off = "true";
  const auto board = made(with);
  ASSERT_TRUE(board->start());
  auto relay = std::async(std::launch::async, [this] {
    const auto is_cut = [](const Evidence& piece) { return piece.kind == "power_cut"; };
    if (evidence.wait_for(is_cut, 0, Deadline(clock, Milliseconds{10'000}))) ctl("power 1-1 off");
  });
  const auto cycled = board->power_cycle();
  relay.get();
  EXPECT_TRUE(cycled) << cycled.error().message;
}

TEST_F(BehindAProbe, WithoutOnAndOffNoWorkIsCutShort) {
  UsbUnitConfig with = config();
  with.power = {.cycle = "true"};
  const auto board = made(with);
  bool worked = false;
  const auto cut = board->cut_power_during(
      [&]() -> Result<void> {
        worked = true;
        return {};
      },
      Milliseconds{0});
  ASSERT_FALSE(cut);
  EXPECT_EQ(cut.error().kind, ErrorKind::usage);
  EXPECT_THAT(cut.error().message, HasSubstr("name `on` and `off` in the lab file"));
  EXPECT_FALSE(worked);
}

TEST_F(BehindAProbe, CommandsThatCutNothingAreFound) {
  UsbUnitConfig with = config();
  with.power = {.on = "true", .off = "true"};
  const auto board = made(with);
  ASSERT_TRUE(board->start());
  const auto cycled = board->power_cycle();
  ASSERT_FALSE(cycled);
  EXPECT_EQ(cycled.error().kind, ErrorKind::rig);
  EXPECT_THAT(cycled.error().message,
              AllOf(HasSubstr("behind-a-probe"), HasSubstr("port 1-1"), HasSubstr("after its power went off")));
  const auto cut = board->cut_power_during([] { return Result<void>(); }, Milliseconds{0});
  ASSERT_FALSE(cut) << "nor is it cut in the middle of work";
  EXPECT_EQ(cut.error().kind, ErrorKind::rig);
}

TEST_F(BehindAProbe, AChipThatWasLeftHaltedIsStartedByItsProbe) {
  const auto board = made(config());
  const auto status = boost::json::parse(ctl("status 1-1"));
  ASSERT_EQ(::kill(status.as_object().at("core_pid").to_number<pid_t>(), SIGSTOP), 0);
  const std::uint64_t mark = evidence.newest();
  const auto started = board->start();
  ASSERT_TRUE(started) << started.error().message;
  EXPECT_THAT(rig_kinds(mark), Contains("restarted"));
  const std::uint64_t again = evidence.newest();
  ASSERT_TRUE(board->start());
  EXPECT_THAT(rig_kinds(again), Not(Contains("restarted"))) << "one that runs is left alone";
}

}  // namespace
}  // namespace hilmark
