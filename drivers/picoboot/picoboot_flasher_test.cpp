#include "drivers/picoboot/picoboot_flasher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hilmark {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr std::uint32_t base = 0x10000000;

/// A bootloader in a few lines: erases, writes and reads 64 KiB, and notes its commands.
class FakeBoard final : public PicobootPort {
 public:
  explicit FakeBoard(ManualClock& clock) : clock_(clock) {}

  Answer send(ByteView data) override {
    if (const auto instead = next_step()) return *instead;
    if (expected_ > 0) {
      EXPECT_EQ(data.size(), expected_);
      for (std::size_t i = 0; i < data.size() && keeps_data; ++i) flash[address_ - base + i] &= data[i];
      expected_ = 0;
      return Bytes();
    }
    if (data.empty()) return Bytes();  // an acknowledgement
    EXPECT_EQ(data.size(), 32U);
    const std::uint8_t id = data[8];
    commands.push_back(id);
    address_ = u32_at(data, 16);
    const std::uint32_t size_bytes = u32_at(data, 20);
    if (id == 0x03) std::fill_n(flash.begin() + (address_ - base), size_bytes, std::uint8_t{0xff});
    if (id == 0x05) expected_ = size_bytes;
    if (id == 0x84) to_read_ = size_bytes;
    return Bytes();
  }
  Answer receive(std::size_t size_bytes) override {
    if (const auto instead = next_step()) return *instead;
    if (to_read_ == 0) return Bytes();
    EXPECT_EQ(size_bytes, to_read_);
    to_read_ = 0;
    const auto from = flash.begin() + (address_ - base);
    return Bytes(from, from + static_cast<std::ptrdiff_t>(size_bytes));
  }
  Answer command_status() override {
    Bytes status(16);
    status[4] = 8;
    return status;
  }
  Answer reset_interface() override {
    if (const auto instead = next_step()) {
      reset_refused = true;
      return *instead;
    }
    if (trouble && steps > trouble_at) ++resets_after_trouble;
    return Bytes();
  }
  [[nodiscard]] std::string device_text() const override { return "2e8a:0003 serial T1 at port 1-9"; }

  Bytes flash = Bytes(64UL * 1024, 0x00);
  std::vector<std::uint8_t> commands;
  int resets_after_trouble = 0;
  bool reset_refused = false;
  bool keeps_data = true;
  Milliseconds step_time{0};
  int steps = 0;
  int trouble_at = -1;  ///< this step …
  std::optional<Answer> trouble;

 private:
  std::optional<Answer> next_step() {
    clock_.advance(step_time);
    if (steps++ == trouble_at) return trouble;
    return std::nullopt;
  }
  ManualClock& clock_;
  std::uint32_t address_ = 0;
  std::size_t expected_ = 0;
  std::size_t to_read_ = 0;
};

class PicobootFlashing : public testing::Test {
 protected:
  PicobootFlasher flasher(FakeBoard& of) {
    auto made = PicobootFlasher::make(of, {PicobootChip::rp2040, base, 64 * 1024}, clock);
    EXPECT_TRUE(made) << made.error().message;
    return *made;
  }
  PicobootFlasher flasher() { return flasher(board); }
  [[nodiscard]] Deadline deadline(int ms = 1000) const { return {clock, Milliseconds(ms)}; }

  ManualClock clock{WallTime{}};
  FakeBoard board{clock};
};

TEST_F(PicobootFlashing, WritesWhatIsReadBackAndLeavesTheRestAlone) {
  const Bytes content(5000, 0x42);
  std::vector<std::string> steps;
  const auto report = flasher().write(
      base + 0x1010, content,
      [&](std::string_view step, double fraction) {
        if (fraction == 1) steps.emplace_back(step);
      },
      deadline());
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->bytes_written, 5000U);
  EXPECT_EQ(report->sectors_erased, 2U);
  EXPECT_THAT(steps, testing::ElementsAre("writing", "verifying"));
  EXPECT_EQ(board.flash[0x0fff], 0x00) << "the sector before";
  EXPECT_EQ(board.flash[0x100f], 0xff) << "of the first page, not of the content";
  EXPECT_EQ(board.flash[0x1010], 0x42);
  EXPECT_EQ(board.flash[0x1010 + 4999], 0x42);
  EXPECT_EQ(board.flash[0x1010 + 5000], 0xff);
  EXPECT_EQ(board.flash[0x3000], 0x00) << "the sector behind";
  const auto back = flasher().read(base + 0x1010, 5000, {}, deadline());
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(*back, content);
}

TEST_F(PicobootFlashing, NothingIsAskedOfTheBoardForNothing) {
  ASSERT_TRUE(flasher().write(base, {}, {}, deadline()));
  EXPECT_EQ(board.steps, 0);
}

TEST_F(PicobootFlashing, WhatDoesNotFitTouchesNothing) {
  const std::pair<std::uint32_t, std::size_t> ranges[] = {
      {base - 1, 1}, {base + 0x10000, 1}, {base + 0xffff, 2}, {base, 0x10001}, {0xffffffff, 1}};
  for (const auto& [address, size_bytes] : ranges) {
    const auto refused = flasher().write(address, Bytes(size_bytes), {}, deadline());
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, ErrorKind::usage);
    EXPECT_THAT(refused.error().message, AllOf(HasSubstr("do not lie in its flash"), HasSubstr("port 1-9")));
    EXPECT_EQ(flasher().read(address, size_bytes, {}, deadline()).error().kind, ErrorKind::usage);
  }
  EXPECT_EQ(board.steps, 0);
  EXPECT_TRUE(flasher().write(base + 0xffff, Bytes(1), {}, deadline())) << "the very last byte";
}

TEST_F(PicobootFlashing, AFlashOfNoWholeSectorsIsRefused) {
  for (const PicobootFlash& flash :
       {PicobootFlash{PicobootChip::rp2040, base + 256, 4096}, PicobootFlash{PicobootChip::rp2040, base, 4095},
        PicobootFlash{PicobootChip::rp2040, base, 0}, PicobootFlash{PicobootChip::rp2040, 0xfffff000, 8192}}) {
    EXPECT_EQ(PicobootFlasher::make(board, flash, clock).error().kind, ErrorKind::usage) << flash.size_bytes;
  }
}

TEST_F(PicobootFlashing, FlashThatDoesNotKeepItIsFound) {
  board.keeps_data = false;
  const auto refused = flasher().write(base, Bytes(256, 0x42), {}, deadline());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::unit);
  EXPECT_THAT(refused.error().message, HasSubstr("0xff instead of 0x42 at 0x10000000"));
}

TEST_F(PicobootFlashing, TroubleAtAnyStepEndsWithItsOwnError) {
  ASSERT_TRUE(flasher().write(base, Bytes(300, 1), {}, deadline()));
  ASSERT_GT(board.steps, 15);
  for (int step = 0; step < board.steps; ++step) {
    FakeBoard pulled(clock);
    pulled.trouble_at = step;
    pulled.trouble = fail(ErrorKind::rig, "it has left the bus");
    const auto gone = flasher(pulled).write(base, Bytes(300, 1), {}, deadline());
    ASSERT_FALSE(gone) << step;
    EXPECT_EQ(gone.error().kind, ErrorKind::rig) << step;
    EXPECT_THAT(gone.error().message, AllOf(HasSubstr("port 1-9"), HasSubstr("left the bus"))) << step;
    EXPECT_EQ(pulled.steps, step + 1) << "nothing is asked of a board that is gone";
  }
}

TEST_F(PicobootFlashing, AStallAtAnyStepEndsWithTheInterfaceReset) {
  ASSERT_TRUE(flasher().write(base, Bytes(300, 1), {}, deadline()));
  for (int step = 0; step < board.steps; ++step) {
    FakeBoard refusing(clock);
    refusing.trouble_at = step;
    refusing.trouble = PicobootPort::Stall{};
    const auto refused = flasher(refusing).write(base, Bytes(300, 1), {}, deadline());
    ASSERT_FALSE(refused) << step;
    EXPECT_EQ(refused.error().kind, ErrorKind::unit) << step;
    EXPECT_EQ(refusing.resets_after_trouble, refusing.reset_refused ? 0 : 1) << step;
  }
}

TEST_F(PicobootFlashing, TheDeadlineIsKept) {
  board.step_time = Milliseconds(10);
  const auto late = flasher().write(base, Bytes(4096), {}, deadline(50));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().kind, ErrorKind::timeout);
  EXPECT_THAT(late.error().message, AllOf(HasSubstr("writing was not done within 50 ms"), HasSubstr("of 5 steps")));
  EXPECT_EQ(board.steps, 5);
}

TEST_F(PicobootFlashing, StartsWhatIsAtTheFlashsBeginningOnly) {
  ASSERT_TRUE(flasher().start(base, deadline()));
  EXPECT_EQ(board.commands, (Bytes{0x02}));
  const auto refused = flasher().start(base + 0x1000, deadline());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::usage);
}

}  // namespace
}  // namespace hilmark
