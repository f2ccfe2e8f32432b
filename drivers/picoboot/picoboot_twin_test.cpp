// The flasher against a virtual RP2040, over libusb. ctest runs it inside of virtual-lab.
#include <condition_variable>
#include <mutex>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "drivers/console/cdc_acm_port.h"
#include "drivers/image/firmware_image.h"
#include "drivers/image/uf2.h"
#include "drivers/image/uf2_testing.h"
#include "drivers/picoboot/picoboot_flasher.h"
#include "drivers/picoboot/picoboot_usb_port.h"
#include "drivers/usb/usb_lab_testing.h"

namespace hilmark {
namespace {

using testing::HasSubstr;

constexpr std::uint32_t base = 0x10000000;
constexpr UsbId bootloader_id{0x2e8a, 0x0003};
constexpr UsbId application_id{0x2e8a, 0x000a};
const ImageRules rules{"rp2040", {"hilmark", "bin", "uf2"}, base, 1572864, bootloader_id, uf2_family_rp2040};

Bytes random_bytes(std::size_t size_bytes) {
  std::mt19937 engine(static_cast<unsigned>(size_bytes));
  Bytes bytes(size_bytes);
  for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(engine());
  return bytes;
}

class PicobootTwin : public InVirtualLab {
 protected:
  void SetUp() override {
    InVirtualLab::SetUp();
    if (usb) watcher.emplace(*usb, "1-1");
  }

  [[nodiscard]] Deadline soon() const { return {clock, Milliseconds(20'000)}; }
  UsbPlugged await(const UsbId& id, std::uint64_t after = 0) {
    const auto came = watcher->wait_arrival({id}, after, soon());
    EXPECT_TRUE(came) << came.error().message;
    return came.value_or(UsbPlugged{});
  }
  /// What is there, brought into its bootloader if need be.
  UsbPlugged bootloader() {
    const auto there = watcher->now();
    if (there && there->id == bootloader_id) return *there;
    if (there && there->id == application_id) {
      EXPECT_TRUE(bootsel_request(*usb, *there).value_or(false));
    }
    return await(bootloader_id, there ? there->arrival : 0);
  }

  /// A port and its flasher, for the time of one session.
  struct Session {
    std::unique_ptr<PicobootUsbPort> port;
    PicobootFlasher flasher;
  };
  Session session(const UsbPlugged& device) {
    auto port = PicobootUsbPort::open(*usb, device);
    EXPECT_TRUE(port) << port.error().message;
    auto flasher = PicobootFlasher::make(**port, {PicobootChip::rp2040, base, 2U << 20}, clock);
    EXPECT_TRUE(flasher) << flasher.error().message;
    return {std::move(*port), std::move(*flasher)};
  }

  /// The application that runs then.
  UsbPlugged flash_and_start(const FirmwareImage& image) {
    const UsbPlugged device = bootloader();
    Session open = session(device);
    const auto written = open.flasher.write(image.address, image.content, {}, soon());
    EXPECT_TRUE(written) << written.error().message;
    const auto started = open.flasher.start(base, soon());
    EXPECT_TRUE(started) << started.error().message;
    return await(application_id, device.arrival);
  }

  static FirmwareImage golden() {
    return load_firmware_image(environment("HILMARK_IMAGES") + "/rp2040/golden.img", rules).value();
  }

  /// Asks the console for the build id until it says it.
  bool console_names(const UsbPlugged& application, const std::string& build_id) {
    std::mutex mutex;
    std::condition_variable came;
    std::string said;
    auto port = CdcAcmPort::open(*usb, application,
                                 {[&](ByteView data) {
                                    const std::lock_guard lock(mutex);
                                    said += as_text(data);
                                    came.notify_all();
                                  },
                                  [](const Error&) {}});
    EXPECT_TRUE(port) << port.error().message;
    EXPECT_TRUE((*port)->write(as_bytes("AT+XBUILD?\n"), Milliseconds(2000)));
    std::unique_lock lock(mutex);
    const bool named =
        came.wait_until(lock, soon().at(), [&] { return said.find("OK " + build_id) != std::string::npos; });
    lock.unlock();
    port->reset();
    return named;
  }

  std::optional<UsbPortWatcher> watcher;
};

TEST_F(PicobootTwin, ReadsBackWhatItWroteInThreeSizes) {
  for (const std::size_t size_bytes : {std::size_t{1}, std::size_t{4096}, std::size_t{300'001}}) {
    const Bytes content = random_bytes(size_bytes);
    const auto written = session(bootloader()).flasher.write(base, content, {}, soon());
    ASSERT_TRUE(written) << written.error().message;
    EXPECT_EQ(written->sectors_erased, (size_bytes + 4095) / 4096);
    // By another session, and a byte further than was written.
    const auto back = session(bootloader()).flasher.read(base, size_bytes + 1, {}, soon());
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_TRUE(std::equal(content.begin(), content.end(), back->begin()));
    EXPECT_TRUE(size_bytes == 4096 || back->back() == 0xff);
  }
}

TEST_F(PicobootTwin, StartsWhatItFlashedAndComesBackByEachWay) {
  const FirmwareImage image = golden();
  UsbPlugged application = flash_and_start(image);
  EXPECT_TRUE(console_names(application, image.build_id));

  EXPECT_TRUE(bootsel_request(*usb, application).value_or(false));
  UsbPlugged device = await(bootloader_id, application.arrival);
  EXPECT_FALSE(bootsel_request(*usb, device).value_or(true)) << "PICOBOOT is no reset interface";
  EXPECT_FALSE(bootsel_touch(*usb, device).value_or(true)) << "there is no console";

  ASSERT_TRUE(session(device).flasher.start(base, soon()));
  application = await(application_id, device.arrival);
  EXPECT_TRUE(bootsel_touch(*usb, application).value_or(false));
  device = await(bootloader_id, application.arrival);
  const auto back = session(device).flasher.read(base, image.content.size(), {}, soon());
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_TRUE(*back == image.content);
}

TEST_F(PicobootTwin, RunsWhatAUf2FileHolds) {
  const FirmwareImage image = golden();
  const auto from_uf2 = check_firmware_image("golden.uf2", uf2_file_of(image.content, base, uf2_family_rp2040), rules);
  ASSERT_TRUE(from_uf2) << from_uf2.error().message;
  EXPECT_TRUE(console_names(flash_and_start(*from_uf2), image.build_id));
}

TEST_F(PicobootTwin, AnApplicationIsNoBootloader) {
  const UsbPlugged application = flash_and_start(golden());
  const auto port = PicobootUsbPort::open(*usb, application);
  ASSERT_FALSE(port);
  EXPECT_EQ(port.error().kind, ErrorKind::usage);
  EXPECT_THAT(port.error().message, HasSubstr("has no PICOBOOT interface"));
}

TEST_F(PicobootTwin, AHaltedInterfaceIsBroughtBack) {
  const UsbPlugged device = bootloader();
  {
    const auto port = PicobootUsbPort::open(*usb, device).value();
    ASSERT_TRUE(port->send(Bytes(32)));
    const auto refused = port->receive(64);
    ASSERT_TRUE(refused) << refused.error().message;
    EXPECT_TRUE(std::holds_alternative<PicobootPort::Stall>(*refused));
  }
  const auto written = session(device).flasher.write(base, random_bytes(100), {}, soon());
  EXPECT_TRUE(written) << written.error().message;
}

TEST_F(PicobootTwin, WhatAnEarlierHostLeftUndoneIsInNobodysWay) {
  const UsbPlugged device = bootloader();
  {
    const auto port = PicobootUsbPort::open(*usb, device).value();
    const Bytes write_without_data =
        to_bytes({PicobootCommandId::write, 99, 4096, {0x00, 0x00, 0x00, 0x10, 0x00, 0x10, 0x00, 0x00}});
    ASSERT_TRUE(port->send(write_without_data));
  }
  const auto written = session(device).flasher.write(base, random_bytes(100), {}, soon());
  EXPECT_TRUE(written) << written.error().message;
}

TEST_F(PicobootTwin, ARefusalNamesTheChipsReason) {
  const UsbPlugged device = bootloader();
  auto port = PicobootUsbPort::open(*usb, device).value();
  // A chip file that claims more flash than there is.
  auto flasher = PicobootFlasher::make(*port, {PicobootChip::rp2040, base, 16U << 20}, clock);
  ASSERT_TRUE(flasher);
  const auto refused = flasher->write(base + (2U << 20), Bytes(256), {}, soon());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::unit);
  EXPECT_THAT(refused.error().message, HasSubstr("erasing 4096 bytes at 0x10200000"));
  EXPECT_THAT(refused.error().message, HasSubstr("invalid address (status 4, command 0x03)"));
  EXPECT_THAT(refused.error().message, HasSubstr("2e8a:0003 serial E0001 at port 1-1"));
  EXPECT_TRUE(flasher->write(base, Bytes(256), {}, soon())) << "and is over";
}

TEST_F(PicobootTwin, AnUnpluggingIsToldAndTheNextRunSucceeds) {
  const UsbPlugged device = bootloader();
  const Bytes content = random_bytes(100'000);
  bool pulled = false;
  const auto pull_midway = [&](std::string_view step, double fraction) {
    if (pulled || step != "writing" || fraction < 0.5) return;
    pulled = true;
    ctl("unplug 1-1");
  };
  const auto gone = session(device).flasher.write(base, content, pull_midway, soon());
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().kind, ErrorKind::rig);
  EXPECT_THAT(gone.error().message, HasSubstr("has left the bus"));
  ctl("plug 1-1");
  const UsbPlugged again = await(bootloader_id, device.arrival);
  const auto written = session(again).flasher.write(base, content, {}, soon());
  EXPECT_TRUE(written) << written.error().message;
}

}  // namespace
}  // namespace hilmark
