#include "drivers/dfu/dfu_flasher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "drivers/dfu/dfu_trace_testing.h"

namespace hilmark {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::uint32_t base = 0x08004000;
constexpr std::size_t flash_bytes = 8192;
constexpr std::uint16_t transfer_bytes = 64;

/// A bootloader that answers by the book, and can be told to misbehave. Waiting moves its clock.
class MemoryBoard final : public DfuPort {
 public:
  MemoryBoard(ManualClock& clock, const DfuFunctional& functional) : clock_(clock), functional_(functional) {}

  Bytes flash = Bytes(flash_bytes, 0xff);
  DfuState state = DfuState::idle;
  Milliseconds waited{0};
  int requests_until_gone = -1;
  int status_at_manifestation = 0;
  bool forgets_a_bit = false;
  bool was_reset = false;
  std::size_t upload_bytes = flash_bytes;

  Answer send(DfuRequest request, std::uint16_t /*value*/, ByteView data) override {
    if (!alive()) return fail(ErrorKind::rig, "the board left");
    if (request == DfuRequest::abort || request == DfuRequest::clear_status) {
      state = DfuState::idle;
      status_ = 0;
      return Bytes();
    }
    if (state == DfuState::idle) at_ = 0;
    if (data.empty()) {
      state = DfuState::manifest_sync;
      return Bytes();
    }
    std::copy(data.begin(), data.end(), flash.begin() + static_cast<std::ptrdiff_t>(at_));
    at_ += data.size();
    if (forgets_a_bit) flash[at_ - 1] ^= 1;
    state = DfuState::download_sync;
    return Bytes();
  }

  Answer receive(DfuRequest request, std::uint16_t value, std::uint16_t size_bytes) override {
    if (!alive()) return fail(ErrorKind::rig, "the board left");
    if (request == DfuRequest::get_status) return status();
    if (!functional_.can_upload) return Stall{};
    const std::size_t start = std::min<std::size_t>(std::size_t{value} * transfer_bytes, upload_bytes);
    const std::size_t size = std::min<std::size_t>(size_bytes, upload_bytes - start);
    state = size < size_bytes ? DfuState::idle : DfuState::upload_idle;
    const auto from = flash.begin() + static_cast<std::ptrdiff_t>(start);
    return Bytes(from, from + static_cast<std::ptrdiff_t>(size));
  }

  Result<void> wait(Milliseconds time) override {
    waited += time;
    clock_.advance(time);
    return {};
  }
  Result<void> reset_bus() override {
    was_reset = true;
    return {};
  }
  [[nodiscard]] std::string device_text() const override { return "1209:2444 serial T2 at port 1-8"; }

 private:
  bool alive() { return requests_until_gone < 0 || requests_until_gone-- > 0; }
  Bytes status() {
    int poll_ms = 0;
    if (state == DfuState::download_sync) {
      state = DfuState::download_busy;
      poll_ms = 3;
    } else if (state == DfuState::download_busy) {
      state = DfuState::download_idle;
    } else if (state == DfuState::manifest_sync) {
      state = DfuState::manifest;
      poll_ms = 20;
      status_ = status_at_manifestation;
      if (status_ != 0) state = DfuState::error;
    } else if (state == DfuState::manifest) {
      state = functional_.manifestation_tolerant ? DfuState::idle : DfuState::manifest_wait_reset;
    }
    return Bytes{static_cast<std::uint8_t>(status_),
                 static_cast<std::uint8_t>(poll_ms),
                 0,
                 0,
                 static_cast<std::uint8_t>(state),
                 0};
  }

  ManualClock& clock_;
  DfuFunctional functional_;
  std::size_t at_ = 0;
  int status_ = 0;
};

Bytes content(std::size_t size) {
  Bytes bytes(size);
  for (std::size_t index = 0; index < size; ++index) bytes[index] = static_cast<std::uint8_t>(index * 7 + index / 256);
  return bytes;
}

class DfuFlash : public testing::Test {
 protected:
  void plug(bool tolerant, bool can_upload) {
    functional.manifestation_tolerant = tolerant;
    functional.can_upload = can_upload;
    board.emplace(clock, functional);
    port.emplace(*board, clock);
  }
  Result<DfuFlasher> make() { return DfuFlasher::make(*port, functional, {base, flash_bytes}, clock); }
  [[nodiscard]] Deadline soon() const { return {clock, Milliseconds{10'000}}; }
  [[nodiscard]] DfuTraceReport trace() const { return check_dfu_trace(port->steps(), functional); }

  ManualClock clock{WallTime{}};
  DfuFunctional functional{true, true, true, true, Milliseconds{255}, transfer_bytes, 0x0110};
  std::optional<MemoryBoard> board;
  std::optional<DfuTracePort> port;
};

struct Manners {
  const char* name;
  bool tolerant;
  bool can_upload;
};

class DfuMatrix : public DfuFlash, public testing::WithParamInterface<std::tuple<std::size_t, Manners>> {};

TEST_P(DfuMatrix, WhatIsWrittenIsThereAndNoRequestWasOutOfPlace) {
  const auto& [size, manners] = GetParam();
  plug(manners.tolerant, manners.can_upload);
  const Bytes image = content(size);
  auto flasher = make();
  ASSERT_TRUE(flasher) << flasher.error().message;
  const auto report = flasher->write(base, image, {}, soon());
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->bytes_written, size);
  EXPECT_EQ(report->verified, manners.tolerant && manners.can_upload);
  EXPECT_TRUE(std::equal(image.begin(), image.end(), board->flash.begin()));
  EXPECT_FALSE(board->was_reset);
  EXPECT_EQ(flasher->can_read(), manners.can_upload) << "also where it cannot be read before its next start";
  if (report->verified) {
    const auto read = flasher->read(base, size, {}, soon());
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(*read, image);
  }
  ASSERT_TRUE(flasher->start(base, soon()));
  EXPECT_TRUE(board->was_reset);
  EXPECT_THAT(trace().faults, IsEmpty());
  EXPECT_EQ(board->waited, trace().demanded) << "waited for what it asked for: no less, no more";
  EXPECT_GT(board->waited, Milliseconds{20});
}

INSTANTIATE_TEST_SUITE_P(
    SizesAndManners, DfuMatrix,
    testing::Combine(testing::Values(1, transfer_bytes, 1000, flash_bytes),
                     testing::Values(Manners{"tolerant", true, true}, Manners{"not_tolerant", false, true},
                                     Manners{"no_upload", true, false})),
    [](const auto& cell) { return fmt::format("{}_{}", std::get<0>(cell.param), std::get<1>(cell.param).name); });

TEST_F(DfuFlash, WhatDoesNotReadBackIsTheBoardsFault) {
  plug(true, true);
  board->forgets_a_bit = true;
  const auto report = make()->write(base, content(100), {}, soon());
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().kind, ErrorKind::unit);
  EXPECT_THAT(report.error().message, HasSubstr("at 0x0800403f"));
  EXPECT_THAT(report.error().message, HasSubstr("serial T2"));
}

TEST_F(DfuFlash, AnUploadThatEndsTooSoonIsTheBoardsFault) {
  plug(true, true);
  board->upload_bytes = 70;
  const auto report = make()->write(base, content(300), {}, soon());
  ASSERT_FALSE(report);
  EXPECT_THAT(report.error().message, HasSubstr("70 of 300 bytes read back"));
  const auto read = make()->read(base, 71, {}, soon());
  ASSERT_FALSE(read);
  EXPECT_THAT(read.error().message, HasSubstr("ended after 70 bytes"));
}

TEST_F(DfuFlash, ManifestationThatFailsIsNamed) {
  plug(false, true);
  board->status_at_manifestation = 7;
  const auto report = make()->write(base, content(100), {}, soon());
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().kind, ErrorKind::unit);
  EXPECT_THAT(report.error().message, HasSubstr("errVERIFY"));
}

TEST_F(DfuFlash, ABoardPulledOutAtAnyRequestIsTheRigsTrouble) {
  for (int requests = 0; requests < 20; ++requests) {
    plug(true, true);
    board->requests_until_gone = requests;
    const auto report = make()->write(base, content(300), {}, soon());
    ASSERT_FALSE(report) << requests;
    EXPECT_EQ(report.error().kind, ErrorKind::rig) << requests;
  }
}

TEST_F(DfuFlash, ReadsFromTheMiddle) {
  plug(true, true);
  board->flash = content(flash_bytes);
  const auto read = make()->read(base + 100, 200, {}, soon());
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_TRUE(std::equal(read->begin(), read->end(), board->flash.begin() + 100));
  EXPECT_EQ(read->size(), 200U);
}

TEST_F(DfuFlash, WhatHasNoPlaceTouchesNothing) {
  plug(true, true);
  for (const auto& [address, size] : std::vector<std::pair<std::uint32_t, std::size_t>>{
           {base, flash_bytes + 1}, {base + 64, 64}, {base - 1, 1}, {base, 0}, {0, 1}}) {
    const auto report = make()->write(address, content(size), {}, soon());
    ASSERT_FALSE(report) << address << " " << size;
    EXPECT_EQ(report.error().kind, ErrorKind::usage);
  }
  EXPECT_EQ(make()->read(base + 1, flash_bytes, {}, soon()).error().kind, ErrorKind::usage);
  EXPECT_THAT(port->steps(), IsEmpty());
}

TEST_F(DfuFlash, WithoutUploadReadingIsRefused) {
  plug(true, false);
  EXPECT_THAT(make()->read(base, 1, {}, soon()).error().message, HasSubstr("bitCanUpload"));
}

TEST_F(DfuFlash, OtherVersionsAndOneWayBootloadersAreRefused) {
  plug(true, true);
  for (const std::uint16_t version : {0x00ff, 0x0111, 0x011a}) {
    functional.version = version;
    EXPECT_THAT(make().error().message, HasSubstr("wrong flasher")) << version;
  }
  functional.version = 0x0100;
  EXPECT_TRUE(make());
  functional.can_download = false;
  EXPECT_THAT(make().error().message, HasSubstr("bitCanDnload"));
  functional.can_download = true;
  functional.transfer_bytes = 0;
  EXPECT_THAT(make().error().message, HasSubstr("wTransferSize 0"));
  EXPECT_EQ(make().error().kind, ErrorKind::unit);
}

TEST_F(DfuFlash, TheDeadlineHoldsAndProgressIsTold) {
  plug(true, true);
  EXPECT_EQ(make()->write(base, content(100), {}, Deadline(clock, Milliseconds{0})).error().kind, ErrorKind::timeout);
  std::vector<std::string> steps;
  double last = 0;
  ASSERT_TRUE(make()->write(
      base, content(100),
      [&](std::string_view step, double fraction) {
        if (steps.empty() || steps.back() != step) steps.emplace_back(step);
        last = fraction;
      },
      soon()));
  EXPECT_THAT(steps, ElementsAre("writing", "verifying"));
  EXPECT_EQ(last, 1.0);
}

}  // namespace
}  // namespace hilmark
