// What is verified after a bootloader has left for good. Runs inside of virtual-lab with
// boards/virtual/bootloaders.yaml.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "drivers/dfu/dfu_usb_port.h"
#include "drivers/image/firmware_image.h"
#include "drivers/unit/usb_unit.h"
#include "drivers/usb/usb_lab_testing.h"

namespace hilmark {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr UsbId bootloader_id{0x1209, 0x0d0f};
constexpr UsbId application_id{0x1209, 0x0d0e};
constexpr std::uint32_t base = 0x08000000;
constexpr std::uint32_t max_image_bytes = 1'572'864;

class VerifiedAnew : public InVirtualLab {
 protected:
  [[nodiscard]] Deadline soon() const { return {clock, Milliseconds{10'000}}; }
  std::unique_ptr<Unit> unit(int number) {
    const std::string port = fmt::format("1-{}", number);
    UsbUnitConfig config;
    config.info.id = fmt::format("plain-{}", number);
    config.info.kind = UnitKind::virtual_board;
    config.info.port = port;
    config.bootloader = bootloader_id;
    config.application = application_id;
    config.flasher = {
        .protocol = "dfu", .layout = "@Flash /0x08000000/16*128Kg", .base = base, .max_bytes = max_image_bytes};
    config.commands_file = "boards/commands/expresslink.yaml";
    config.power = {
        .hub = "1", .port = number, .boot_pin = "\"$HILMARK_VIRTUAL_LAB\" ctl boot-pin " + port + " {state}"};
    auto made = make_usb_unit(std::move(config), *usb, clock, evidence);
    EXPECT_TRUE(made) << made.error().message;
    return std::move(*made);
  }

  static FirmwareImage image() {
    const ImageRules rules{"plain_dfu", {"hilmark", "bin"}, base, max_image_bytes, bootloader_id};
    return load_firmware_image(environment("HILMARK_IMAGES") + "/plain_dfu/golden.img", rules).value();
  }

  EvidenceLog evidence{clock};
};

TEST_F(VerifiedAnew, WhatCanBeReadAfterItsNextStartIs) {
  const auto report = unit(3)->flash(image(), {});
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_TRUE(report->verified);
}

TEST_F(VerifiedAnew, WhatCanNeverBeReadIsNotAndTheReportSaysSo) {
  const auto report = unit(4)->flash(image(), {});
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_FALSE(report->verified);
}

TEST_F(VerifiedAnew, ABootloaderInUseIsNoneThatCannotBeRead) {
  std::unique_ptr<DfuUsbPort> other;  // another program, which has the bootloader open
  const auto take = [&](std::string_view step, double) {
    if (step != "verifying" || other) return;
    const UsbPortWatcher watcher(*usb, "1-3");
    const auto there = watcher.now();
    ASSERT_TRUE(there);
    ctl("boot-pin 1-3 on");
    ctl("reset 1-3");
    const auto bootloader = watcher.wait_arrival({bootloader_id}, there->arrival, soon());
    ctl("boot-pin 1-3 off");
    ASSERT_TRUE(bootloader) << bootloader.error().message;
    auto port = DfuUsbPort::open_plain(*usb, *bootloader);
    ASSERT_TRUE(port) << port.error().message;
    other = std::move(*port);
  };
  const auto report = unit(3)->flash(image(), take);
  ASSERT_TRUE(other);
  ASSERT_FALSE(report) << "it was not verified";
  EXPECT_EQ(report.error().kind, ErrorKind::usage);
  EXPECT_THAT(report.error().message, AllOf(HasSubstr("plain-3"), HasSubstr("in use by another program")));
  other.reset();
  EXPECT_TRUE(unit(3)->flash(image(), {})) << "and it is flashed again";
}

}  // namespace
}  // namespace hilmark
