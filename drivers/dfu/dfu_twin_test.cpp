// What the flashers say to each virtual twin of a DFU bootloader, over libusb, held against DFU 1.1's state diagram.
// ctest runs it inside of virtual-lab.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "drivers/dfu/dfu_flasher.h"
#include "drivers/dfu/dfu_trace_testing.h"
#include "drivers/dfu/dfu_usb_port.h"
#include "drivers/dfu/dfuse_flasher.h"
#include "drivers/usb/usb_lab_testing.h"

namespace hilmark {
namespace {

constexpr std::uint32_t base = 0x08000000;
constexpr std::uint32_t room_bytes = 1'572'864;

/// A unit of boards/virtual/bootloaders.yaml.
struct Twin {
  const char* name;
  const char* port;
  bool dfuse;
  bool can_upload;
};

class DfuTwin : public InVirtualLab, public testing::WithParamInterface<Twin> {
 protected:
  [[nodiscard]] Deadline soon() const { return {clock, Milliseconds(20'000)}; }
  /// The twin's flash is empty, so that its bootloader is what is there.
  std::unique_ptr<DfuUsbPort> bootloader() {
    const UsbPortWatcher watcher(*usb, GetParam().port);
    const auto there = watcher.wait_arrival({{0x0483, 0xdf11}, {0x1209, 0x0d0f}}, 0, soon());
    EXPECT_TRUE(there) << there.error().message;
    auto port = GetParam().dfuse ? DfuUsbPort::open(*usb, *there, base) : DfuUsbPort::open_plain(*usb, *there);
    EXPECT_TRUE(port) << port.error().message;
    return std::move(*port);
  }
};

TEST_P(DfuTwin, NoRequestIsOutOfPlaceAndNoneTooSoon) {
  const auto usb_port = bootloader();
  DfuTracePort port(*usb_port, clock);
  const DfuSeMemory& memory = usb_port->memory();
  Bytes content(50'001);
  for (std::size_t at = 0; at < content.size(); ++at) content[at] = static_cast<std::uint8_t>(at * 7 + at / 256);
  const auto use = [&](auto flasher) {
    ASSERT_TRUE(flasher) << flasher.error().message;
    const auto written = flasher->write(base, content, {}, soon());
    ASSERT_TRUE(written) << written.error().message;
    if (written->verified) {
      const auto read = flasher->read(base, content.size(), {}, soon());
      ASSERT_TRUE(read) << read.error().message;
      EXPECT_EQ(*read, content);
    }
    const auto started = flasher->start(base, soon());
    EXPECT_TRUE(started) << started.error().message;
  };
  if (GetParam().dfuse) {
    use(DfuSeFlasher::make(port, memory, memory.layout, clock));
  } else {
    use(DfuFlasher::make(port, memory.functional, {base, room_bytes}, clock));
  }
  const DfuTraceReport trace = check_dfu_trace(port.steps(), memory.functional);
  EXPECT_THAT(trace.faults, testing::IsEmpty());
  EXPECT_GT(port.steps().size(), 2 * content.size() / memory.functional.transfer_bytes);
  EXPECT_GT(trace.demanded.count(), 0);
  EXPECT_EQ(memory.functional.can_upload, GetParam().can_upload);
}

INSTANTIATE_TEST_SUITE_P(All, DfuTwin,
                         testing::Values(Twin{"dfuse", "1-1", true, true}, Twin{"dfu_tolerant", "1-2", false, true},
                                         Twin{"dfu_not_tolerant", "1-3", false, true},
                                         Twin{"dfu_write_only", "1-4", false, false}),
                         [](const auto& twin) { return std::string(twin.param.name); });

}  // namespace
}  // namespace hilmark
