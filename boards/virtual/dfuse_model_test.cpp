#include "boards/virtual/dfuse_model.h"

#include <gtest/gtest.h>

namespace virtual_lab {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t kBase = 0x08000000;

class Dfuse : public testing::Test {
 protected:
  Dfuse()
      : cells(2U << 20, 0xff),
        flash(*FlashLayout::parse("@Internal Flash /0x08000000/16*128Kg"), cells),
        model(flash, "V1", [this] { return now; }) {}

  struct Status {
    DfuStatus status;
    unsigned poll_ms;
    DfuState state;
    friend bool operator==(const Status&, const Status&) = default;
  };

  std::optional<std::size_t> request(DfuRequest code, std::uint16_t value, Bytes& data) {
    const bool in = code == DfuRequest::kUpload || code == DfuRequest::kGetStatus || code == DfuRequest::kGetState;
    const SetupPacket setup{static_cast<std::uint8_t>(in ? 0xa1 : 0x21), static_cast<std::uint8_t>(code), value, 0,
                            static_cast<std::uint16_t>(data.size())};
    return model.control(setup, data);
  }
  bool download(std::uint16_t block, Bytes data) { return request(DfuRequest::kDnload, block, data).has_value(); }
  bool simple(DfuRequest code) {
    Bytes none;
    return request(code, 0, none).has_value();
  }
  Status get_status() {
    Bytes data(6);
    EXPECT_EQ(request(DfuRequest::kGetStatus, 0, data), 6U);
    return {static_cast<DfuStatus>(data[0]), static_cast<unsigned>(data[1] | data[2] << 8 | data[3] << 16),
            static_cast<DfuState>(data[4])};
  }
  // What a host does after each block: start it, wait for as long as was asked, look.
  Status run() {
    const Status busy = get_status();
    EXPECT_EQ(busy.state, DfuState::kDnBusy);
    now += std::chrono::milliseconds(busy.poll_ms);
    return get_status();
  }
  static Bytes command(std::uint8_t code, std::uint32_t address) {
    Bytes bytes{code};
    append_u32(bytes, address);
    return bytes;
  }
  static constexpr Status kReady{DfuStatus::kOk, 0, DfuState::kDnloadIdle};
  static constexpr Status failed(DfuStatus status) { return {status, 0, DfuState::kError}; }

  std::chrono::steady_clock::time_point now;
  std::vector<std::uint8_t> cells;
  FlashMemory flash;
  DfuseModel model;
};

TEST_F(Dfuse, ErasesProgramsAndReadsBack) {
  ASSERT_TRUE(download(0, command(0x41, kBase + 5)));
  EXPECT_EQ(run(), kReady);
  ASSERT_TRUE(download(0, command(0x21, kBase + 0x100)));
  EXPECT_EQ(run(), kReady);
  ASSERT_TRUE(download(3, {1, 2, 3}));
  EXPECT_EQ(run(), kReady);
  EXPECT_EQ(cells[0x100 + 2048], 1);
  EXPECT_EQ(flash.erases()[0], 1U);

  ASSERT_TRUE(simple(DfuRequest::kAbort));
  Bytes data(4);
  EXPECT_EQ(request(DfuRequest::kUpload, 3, data), 4U);
  EXPECT_EQ(data, (Bytes{1, 2, 3, 0xff}));
  EXPECT_EQ(model.state(), DfuState::kUploadIdle);
}

TEST_F(Dfuse, IsBusyUntilTheTimeThatItAskedForIsOver) {
  ASSERT_TRUE(download(0, command(0x41, kBase)));
  EXPECT_EQ(get_status(), (Status{DfuStatus::kOk, 2, DfuState::kDnBusy}));
  now += 1ms;
  EXPECT_EQ(get_status(), (Status{DfuStatus::kOk, 1, DfuState::kDnBusy}));
  now += 1ms;
  EXPECT_EQ(get_status(), kReady);
}

TEST_F(Dfuse, StallsAHostThatDoesNotWait) {
  ASSERT_TRUE(download(0, command(0x41, kBase)));
  get_status();
  EXPECT_FALSE(download(2, {1}));
  EXPECT_EQ(get_status(), failed(DfuStatus::kErrStalledPacket));
}

TEST_F(Dfuse, ProgrammingWhatIsNotErasedIsAnErrorAndNotUndone) {
  cells[0] = 0x0f;
  ASSERT_TRUE(download(2, {0xf3}));
  EXPECT_EQ(run(), failed(DfuStatus::kErrProg));
  EXPECT_EQ(cells[0], 0x03);
  EXPECT_FALSE(download(2, {0x00}));
  ASSERT_TRUE(simple(DfuRequest::kClrStatus));
  EXPECT_EQ(get_status(), (Status{DfuStatus::kOk, 0, DfuState::kIdle}));
}

TEST_F(Dfuse, MassEraseTakesAllSectorsAndTheirTime) {
  cells[0] = cells[cells.size() - 1] = 0;
  ASSERT_TRUE(download(0, {0x41}));
  EXPECT_EQ(get_status().poll_ms, 32U);
  EXPECT_EQ(cells[0], 0xff);
  EXPECT_EQ(cells[cells.size() - 1], 0xff);
}

TEST_F(Dfuse, RefusesAddressesThatAreNotFlash) {
  for (const std::uint32_t address : {kBase - 1, kBase + (2U << 20), 0U, UINT32_MAX}) {
    for (const std::uint8_t code : {std::uint8_t{0x21}, std::uint8_t{0x41}}) {
      ASSERT_TRUE(download(0, command(code, address)));
      EXPECT_EQ(run(), failed(DfuStatus::kErrTarget)) << address;
      ASSERT_TRUE(simple(DfuRequest::kClrStatus));
    }
  }
  ASSERT_TRUE(download(0, command(0x21, kBase + (2U << 20) - 1)));
  EXPECT_EQ(run(), kReady);
  ASSERT_TRUE(download(2, {0, 0}));  // its second byte is beyond the end
  EXPECT_EQ(run(), failed(DfuStatus::kErrTarget));
  EXPECT_EQ(cells.back(), 0xff);
}

TEST_F(Dfuse, RefusesMalformedCommandsAndBlocks) {
  ASSERT_TRUE(download(0, {0x77}));
  EXPECT_EQ(run(), failed(DfuStatus::kErrStalledPacket));
  ASSERT_TRUE(simple(DfuRequest::kClrStatus));
  ASSERT_TRUE(download(0, {0x21, 0, 0}));
  EXPECT_EQ(run(), failed(DfuStatus::kErrTarget));
  ASSERT_TRUE(simple(DfuRequest::kClrStatus));
  EXPECT_FALSE(download(1, {0}));
  ASSERT_TRUE(simple(DfuRequest::kClrStatus));
  EXPECT_FALSE(download(2, Bytes(2049)));
  ASSERT_TRUE(simple(DfuRequest::kClrStatus));
  EXPECT_FALSE(simple(DfuRequest::kDetach));
}

TEST_F(Dfuse, UploadEndsWithAShortBlockAndRefusesWhatIsBeyond) {
  ASSERT_TRUE(download(0, command(0x21, kBase + (2U << 20) - 3000)));
  EXPECT_EQ(run(), kReady);
  ASSERT_TRUE(simple(DfuRequest::kAbort));
  Bytes data(2048);
  EXPECT_EQ(request(DfuRequest::kUpload, 2, data), 2048U);
  EXPECT_EQ(request(DfuRequest::kUpload, 3, data), 952U);
  EXPECT_EQ(model.state(), DfuState::kIdle);
  EXPECT_FALSE(request(DfuRequest::kUpload, 4, data));
  EXPECT_EQ(model.status(), DfuStatus::kErrTarget);
}

TEST_F(Dfuse, ListsItsCommands) {
  Bytes data(16);
  EXPECT_EQ(request(DfuRequest::kUpload, 0, data), 4U);
  EXPECT_EQ(Bytes(data.begin(), data.begin() + 4), (Bytes{0x00, 0x21, 0x41, 0x92}));
}

TEST_F(Dfuse, UploadIsRefusedWhileADownloadIsOpen) {
  ASSERT_TRUE(download(2, {1}));
  run();
  Bytes data(4);
  EXPECT_FALSE(request(DfuRequest::kUpload, 2, data));
  EXPECT_EQ(model.state(), DfuState::kError);
}

TEST_F(Dfuse, LeavesOnceItWasAskedForItsStatus) {
  ASSERT_TRUE(download(2, {}));
  EXPECT_TRUE(model.take_events().empty());
  EXPECT_EQ(get_status().state, DfuState::kManifest);
  const auto events = model.take_events();
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].kind, DeviceEvent::Kind::kStartImage);
  EXPECT_FALSE(download(2, {1}));
  model.bus_reset();
  EXPECT_EQ(get_status().state, DfuState::kManifest);
  EXPECT_TRUE(model.take_events().empty());
}

TEST_F(Dfuse, LeavingToAnywhereElseIsAReset) {
  ASSERT_TRUE(download(0, command(0x21, kBase + 4)));
  run();
  ASSERT_TRUE(download(2, {}));
  get_status();
  EXPECT_EQ(model.take_events().at(0).kind, DeviceEvent::Kind::kRestart);
}

TEST_F(Dfuse, ReadUnprotectErasesAndResets) {
  cells[7] = 0;
  ASSERT_TRUE(download(0, {0x92}));
  get_status();
  EXPECT_EQ(cells[7], 0xff);
  EXPECT_EQ(model.take_events().at(0).kind, DeviceEvent::Kind::kRestart);
}

TEST_F(Dfuse, BusResetEndsAnError) {
  EXPECT_FALSE(download(1, {0}));
  model.bus_reset();
  EXPECT_EQ(get_status(), (Status{DfuStatus::kOk, 0, DfuState::kIdle}));
}

TEST_F(Dfuse, EveryRequestInEveryStateIsAnsweredOrStalled) {
  for (unsigned type = 0; type < 256; ++type) {
    for (unsigned code = 0; code < 256; ++code) {
      for (const std::uint16_t length : {0, 1, 6, 5000}) {
        Bytes data(length, 0x41);
        const SetupPacket setup{static_cast<std::uint8_t>(type), static_cast<std::uint8_t>(code), 0x0302, 0, length};
        const auto transferred = model.control(setup, data);
        EXPECT_LE(transferred.value_or(0), length);
      }
    }
  }
}

TEST_F(Dfuse, ShowsTheLayoutAsTheInterfacesName) {
  Bytes data(255);
  const auto size = model.control({0x80, 6, 0x0304, 0x0409, 255}, data);
  ASSERT_TRUE(size);
  std::string text;
  for (std::size_t i = 2; i < *size; i += 2) text.push_back(static_cast<char>(data[i]));
  EXPECT_EQ(text, "@Internal Flash /0x08000000/16*128Kg");
  ASSERT_EQ(model.descriptors().interfaces().size(), 1U);
  EXPECT_EQ(model.descriptors().interfaces()[0].name_index, 4);
}

}  // namespace
}  // namespace virtual_lab
