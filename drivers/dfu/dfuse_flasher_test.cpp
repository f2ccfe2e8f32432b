#include "drivers/dfu/dfuse_flasher.h"

#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "drivers/dfu/dfu_trace_testing.h"

namespace hilmark {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::uint32_t base = 0x08000000;
constexpr std::size_t sector_bytes = 1024;
constexpr std::uint16_t transfer_bytes = 256;

/// A bootloader of four sectors that answers by the book, and can be told to misbehave.
class ScriptedBoard final : public DfuPort {
 public:
  Bytes flash = Bytes(4 * sector_bytes, 0x55);
  std::vector<std::uint32_t> erased;
  Milliseconds waited{0};
  int requests_until_gone = -1;
  bool forgets_a_bit = false;
  std::vector<std::uint32_t> sectors{sector_bytes, sector_bytes, sector_bytes, sector_bytes};
  ManualClock* clock = nullptr;  // moved by waiting
  bool left = false;
  bool is_protected = false;
  bool was_unprotected = false;

  Answer send(DfuRequest request, std::uint16_t value, ByteView data) override {
    if (!alive()) return fail(ErrorKind::rig, "the board left");
    if (request == DfuRequest::abort || request == DfuRequest::clear_status) {
      state_ = DfuState::idle;
      status_ = 0;
      return Bytes();
    }
    pending_block_ = value;
    pending_.assign(data.begin(), data.end());
    state_ = DfuState::download_sync;
    return Bytes();
  }

  Answer receive(DfuRequest request, std::uint16_t value, std::uint16_t size_bytes) override {
    if (!alive()) return fail(ErrorKind::rig, "the board left");
    if (request == DfuRequest::upload) {
      if (state_ != DfuState::idle && state_ != DfuState::upload_idle) return Stall{};
      if (is_protected) {
        refuse_as_protected();
        return Stall{};
      }
      state_ = DfuState::upload_idle;
      const auto start = flash.begin() + (pointer_ - base) + std::ptrdiff_t{value - 2} * transfer_bytes;
      return Bytes(start, start + size_bytes);
    }
    int poll_ms = 0;
    if (state_ == DfuState::download_sync) {
      state_ = DfuState::download_busy;
      poll_ms = 3;
    } else if (state_ == DfuState::download_busy) {
      carry_out();
    }
    return Bytes{status_, static_cast<std::uint8_t>(poll_ms), 0, 0, static_cast<std::uint8_t>(state_), 0};
  }

  Result<void> wait(Milliseconds time) override {
    waited += time;
    if (clock != nullptr) clock->advance(time);
    return {};
  }
  Result<void> reset_bus() override { return {}; }
  [[nodiscard]] std::string device_text() const override { return "0483:df11 serial T1 at port 1-9"; }

 private:
  void refuse_as_protected() {
    state_ = DfuState::error;
    status_ = 11;
  }
  bool alive() { return !left && (requests_until_gone < 0 || requests_until_gone-- > 0); }

  void carry_out() {
    state_ = DfuState::download_idle;
    if (pending_.empty()) {
      state_ = DfuState::manifest;
      left = true;
    } else if (pending_block_ == 0) {
      const std::uint32_t address =
          pending_.size() < 5 ? 0 : pending_[1] | pending_[2] << 8 | pending_[3] << 16 | pending_[4] << 24;
      if (pending_[0] == 0x92) was_unprotected = true;
      if (pending_[0] == 0x21) pointer_ = address;
      if (pending_[0] == 0x41 && is_protected) return refuse_as_protected();
      if (pending_[0] == 0x41) {
        erased.push_back(address);
        std::uint32_t sector = base;
        for (const std::uint32_t size : sectors) {
          if (sector == address) std::fill_n(flash.begin() + (address - base), size, 0xff);
          sector += size;
        }
      }
    } else {
      auto place = flash.begin() + (pointer_ - base) + std::ptrdiff_t{pending_block_ - 2} * transfer_bytes;
      for (const std::uint8_t byte : pending_) *place++ &= byte;
      if (forgets_a_bit) *std::prev(place) ^= 1;
    }
  }

  DfuState state_ = DfuState::idle;
  std::uint8_t status_ = 0;
  std::uint32_t pointer_ = 0;
  std::uint16_t pending_block_ = 0;
  Bytes pending_;
};

class DfuSeFlash : public testing::Test {
 protected:
  static DfuSeLayout layout(const std::string& text = "@Flash /0x08000000/4*1Kg") {
    return parse_dfuse_layout(text).value();
  }
  DfuSeMemory memory{layout(), {true, true, false, false, Milliseconds{0}, transfer_bytes, 0x011a}};
  Result<DfuSeFlasher> make() { return DfuSeFlasher::make(board, memory, layout(), clock); }
  [[nodiscard]] Deadline soon() const { return {clock, Milliseconds{10'000}}; }
  static Bytes content(std::size_t size) {
    Bytes bytes(size);
    for (std::size_t index = 0; index < size; ++index)
      bytes[index] = static_cast<std::uint8_t>(index * 7 + index / 256);
    return bytes;
  }

  SystemClock clock;
  ScriptedBoard board;
};

TEST_F(DfuSeFlash, WritesVerifiesAndLeavesTheOtherSectorsAlone) {
  const Bytes image = content(sector_bytes + 300);
  std::vector<std::string> steps;
  double last = 0;
  const auto report = make()->write(
      base, image,
      [&](std::string_view step, double fraction) {
        if (steps.empty() || steps.back() != step) steps.emplace_back(step);
        last = fraction;
      },
      soon());
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->bytes_written, image.size());
  EXPECT_EQ(report->sectors_erased, 2U);
  EXPECT_THAT(board.erased, ElementsAre(base, base + sector_bytes));
  EXPECT_TRUE(std::equal(image.begin(), image.end(), board.flash.begin()));
  EXPECT_EQ(board.flash[2 * sector_bytes], 0x55) << "a sector that the image does not touch";
  EXPECT_THAT(steps, ElementsAre("writing", "verifying"));
  EXPECT_EQ(last, 1.0);
  // Two erases, two pointers, six blocks: each busy once for 3 ms. No more, no less.
  EXPECT_EQ(board.waited, Milliseconds(3 * (2 + 2 + 6)));
}

struct Shape {
  const char* name;
  const char* layout;
  std::vector<std::uint32_t> sizes;  // of its sectors
};

class DfuSeMatrix : public DfuSeFlash, public testing::WithParamInterface<std::tuple<std::size_t, Shape>> {};

TEST_P(DfuSeMatrix, WhatIsWrittenIsThereAndNoRequestWasOutOfPlace) {
  const auto& [size, shape] = GetParam();
  ManualClock manual{WallTime{}};
  board.clock = &manual;
  board.sectors = shape.sizes;
  DfuTracePort port(board, manual);
  memory.layout = layout(shape.layout);
  auto flasher = DfuSeFlasher::make(port, memory, memory.layout, manual);
  ASSERT_TRUE(flasher) << flasher.error().message;
  const Bytes image = content(size);
  const Deadline deadline(manual, Milliseconds{10'000});
  const auto report = flasher->write(base, image, {}, deadline);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_TRUE(report->verified);
  EXPECT_EQ(report->sectors_erased, board.erased.size());
  std::size_t covered = 0;
  std::size_t touched = 0;
  while (covered < size) covered += shape.sizes[touched++];
  EXPECT_EQ(board.erased.size(), touched);
  EXPECT_TRUE(std::equal(image.begin(), image.end(), board.flash.begin()));
  EXPECT_TRUE(std::all_of(board.flash.begin() + static_cast<std::ptrdiff_t>(covered), board.flash.end(),
                          [](std::uint8_t byte) { return byte == 0x55; }));
  const auto read = flasher->read(base, size, {}, deadline);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(*read, image);
  ASSERT_TRUE(flasher->start(base, deadline));
  const DfuTraceReport trace = check_dfu_trace(port.steps(), memory.functional);
  EXPECT_THAT(trace.faults, testing::IsEmpty());
  EXPECT_EQ(board.waited, trace.demanded) << "waited for what it asked for: no less, no more";
}

INSTANTIATE_TEST_SUITE_P(
    SizesAndLayouts, DfuSeMatrix,
    testing::Combine(testing::Values(1, 255, 1300, 4096),
                     testing::Values(Shape{"equal", "@Flash /0x08000000/4*1Kg", {1024, 1024, 1024, 1024}},
                                     Shape{"one", "@Flash /0x08000000/01*4Kg", {4096}},
                                     Shape{"growing",
                                           "@Flash /0x08000000/2*256Bg,1*512Bg,3*1Kg",
                                           {256, 256, 512, 1024, 1024, 1024}})),
    [](const auto& cell) { return fmt::format("{}_{}", std::get<0>(cell.param), std::get<1>(cell.param).name); });

TEST_F(DfuSeFlash, WhatDoesNotReadBackIsTheBoardsFault) {
  board.forgets_a_bit = true;
  const auto report = make()->write(base, content(256), {}, soon());
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().kind, ErrorKind::unit);
  EXPECT_THAT(report.error().message, HasSubstr("at 0x080000ff"));
  EXPECT_THAT(report.error().message, HasSubstr("serial T1"));
}

TEST_F(DfuSeFlash, ABoardPulledOutAtAnyRequestIsTheRigsTrouble) {
  for (int requests = 0; requests < 30; ++requests) {
    board = ScriptedBoard();
    board.requests_until_gone = requests;
    const auto report = make()->write(base, content(600), {}, soon());
    ASSERT_FALSE(report) << requests;
    EXPECT_EQ(report.error().kind, ErrorKind::rig);
  }
}

TEST_F(DfuSeFlash, ReadsAndLeaves) {
  board.flash = content(4 * sector_bytes);
  const auto read = make()->read(base + 100, 1000, {}, soon());
  ASSERT_TRUE(read);
  EXPECT_TRUE(std::equal(read->begin(), read->end(), board.flash.begin() + 100));
  ASSERT_TRUE(make()->start(base, soon()));
  EXPECT_TRUE(board.left);
}

TEST_F(DfuSeFlash, WhatDoesNotFitTouchesNothing) {
  const auto report = make()->write(base, content(4 * sector_bytes + 1), {}, soon());
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().kind, ErrorKind::usage);
  EXPECT_THAT(board.erased, ElementsAre());
}

TEST_F(DfuSeFlash, AnotherChipThanTheLabSaysIsAWrongSetUp) {
  const auto flasher = DfuSeFlasher::make(board, memory, layout("@Flash /0x08000000/16*128Kg"), clock);
  ASSERT_FALSE(flasher);
  EXPECT_EQ(flasher.error().kind, ErrorKind::usage);
  EXPECT_THAT(flasher.error().message, HasSubstr("chip file says 16"));
}

TEST_F(DfuSeFlash, PlainDfuAndOneWayBootloadersAreRefused) {
  memory.functional.version = 0x0110;
  EXPECT_THAT(make().error().message, HasSubstr("not DfuSe"));
  memory.functional.version = 0x011a;
  memory.functional.can_upload = false;
  EXPECT_THAT(make().error().message, HasSubstr("upload false"));
  memory.functional.can_upload = true;
  memory.functional.transfer_bytes = 0;
  EXPECT_THAT(make().error().message, HasSubstr("wTransferSize 0"));
}

TEST_F(DfuSeFlash, TheDeadlineHolds) {
  ManualClock still{WallTime{}};
  const auto report = make()->write(base, content(256), {}, Deadline(still, Milliseconds{0}));
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().kind, ErrorKind::timeout);
}

// AN3156: with RDP set, reading, erasing and writing end in errVENDOR.
TEST_F(DfuSeFlash, AReadProtectedFlashIsRefusedWithWhatUnprotectingErases) {
  board.is_protected = true;
  for (const bool names_option_bytes : {false, true}) {
    if (names_option_bytes) memory.option_bytes = 0x1fffc000;
    for (const bool reads : {false, true}) {
      const auto error =
          reads ? make()->read(base, 16, {}, soon()).error() : make()->write(base, content(16), {}, soon()).error();
      EXPECT_EQ(error.kind, ErrorKind::unit);
      EXPECT_THAT(error.message, HasSubstr("read-protected"));
      EXPECT_THAT(error.message, HasSubstr("erases all of its flash"));
      EXPECT_THAT(error.message, HasSubstr(":unprotect:force"));
      EXPECT_EQ(error.message.find("0x1fffc000") != std::string::npos, names_option_bytes);
    }
  }
  EXPECT_THAT(board.erased, ElementsAre());
  EXPECT_FALSE(board.was_unprotected) << "never by us";
}

TEST_F(DfuSeFlash, AReadOnlySectorIsNotWritten) {
  memory.layout = layout("@Flash /0x08000000/4*1Ka");
  const auto flasher = DfuSeFlasher::make(board, memory, memory.layout, clock);
  EXPECT_THAT(DfuSeFlasher(*flasher).write(base, content(10), {}, soon()).error().message,
              HasSubstr("not for writing"));
}

}  // namespace
}  // namespace hilmark
