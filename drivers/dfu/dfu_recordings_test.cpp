// The flashers against recordings of bootloaders (made by `hilmark flash --record`): what they say must stay the same.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "drivers/dfu/dfu_flasher.h"
#include "drivers/dfu/dfu_replay_testing.h"
#include "drivers/dfu/dfuse_flasher.h"
#include "drivers/usb/usb_recording_testing.h"

namespace hilmark {
namespace {

constexpr std::uint32_t base = 0x08000000;

void expect_same(Flasher& flasher, DfuReplayPort& port) {
  const SystemClock clock;
  const Deadline deadline(clock, Milliseconds{60'000});
  const auto report = flasher.write(base, recorded_content(), {}, deadline);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_TRUE(report->verified);
  const auto started = flasher.start(base, deadline);
  EXPECT_TRUE(started) << started.error().message;
  EXPECT_EQ(port.difference(), "");
  EXPECT_TRUE(port.at_end()) << "it said more then";
  EXPECT_GT(port.waited().count(), 0) << "poll times";
}

TEST(DfuRecordings, AVirtualStm32h7) {
  DfuReplayPort port(usb_recording("drivers/dfu/recordings/virtual_stm32h7.jsonl"), {0x0483, 0xdf11});
  const SystemClock clock;
  const DfuSeLayout layout = parse_dfuse_layout("@Internal Flash /0x08000000/16*128Kg").value();
  const DfuSeMemory memory{.layout = layout,
                           .functional = {.can_download = true,
                                          .can_upload = true,
                                          .will_detach = true,
                                          .detach_timeout = Milliseconds{255},
                                          .transfer_bytes = 2048,
                                          .version = 0x011a}};
  auto flasher = DfuSeFlasher::make(port, memory, layout, clock);
  ASSERT_TRUE(flasher) << flasher.error().message;
  expect_same(*flasher, port);
}

TEST(DfuRecordings, AVirtualBoardOfPlainDfu) {
  DfuReplayPort port(usb_recording("drivers/dfu/recordings/virtual_dfu.jsonl"), {0x1209, 0x0d0f});
  const SystemClock clock;
  const DfuFunctional functional{.can_download = true,
                                 .can_upload = true,
                                 .manifestation_tolerant = true,
                                 .will_detach = true,
                                 .detach_timeout = Milliseconds{255},
                                 .transfer_bytes = 2048,
                                 .version = 0x0110};
  auto flasher = DfuFlasher::make(port, functional, {base, 1'572'864}, clock);
  ASSERT_TRUE(flasher) << flasher.error().message;
  expect_same(*flasher, port);
}

}  // namespace
}  // namespace hilmark
