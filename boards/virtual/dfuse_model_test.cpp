#include "boards/virtual/dfuse_model.h"

#include <gtest/gtest.h>

namespace virtual_lab {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t flash_base = 0x08000000;

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
    const bool in = code == DfuRequest::upload || code == DfuRequest::get_status || code == DfuRequest::get_state;
    const SetupPacket setup{static_cast<std::uint8_t>(in ? 0xa1 : 0x21), static_cast<std::uint8_t>(code), value, 0,
                            static_cast<std::uint16_t>(data.size())};
    return model.control(setup, data);
  }
  bool download(std::uint16_t block, Bytes data) { return request(DfuRequest::dnload, block, data).has_value(); }
  bool simple(DfuRequest code) {
    Bytes none;
    return request(code, 0, none).has_value();
  }
  Status get_status() {
    Bytes data(6);
    EXPECT_EQ(request(DfuRequest::get_status, 0, data), 6U);
    return {static_cast<DfuStatus>(data[0]), static_cast<unsigned>(data[1] | data[2] << 8 | data[3] << 16),
            static_cast<DfuState>(data[4])};
  }
  // What a host does after each block: start it, wait for as long as was asked, look.
  Status run() {
    const Status busy = get_status();
    EXPECT_EQ(busy.state, DfuState::dn_busy);
    now += std::chrono::milliseconds(busy.poll_ms);
    return get_status();
  }
  static Bytes command(std::uint8_t code, std::uint32_t address) {
    Bytes bytes{code};
    append_u32(bytes, address);
    return bytes;
  }
  static constexpr Status ready{DfuStatus::ok, 0, DfuState::dnload_idle};
  static constexpr Status failed(DfuStatus status) { return {status, 0, DfuState::error}; }

  std::chrono::steady_clock::time_point now;
  std::vector<std::uint8_t> cells;
  FlashMemory flash;
  DfuseModel model;
};

TEST_F(Dfuse, ErasesProgramsAndReadsBack) {
  ASSERT_TRUE(download(0, command(0x41, flash_base + 5)));
  EXPECT_EQ(run(), ready);
  ASSERT_TRUE(download(0, command(0x21, flash_base + 0x100)));
  EXPECT_EQ(run(), ready);
  ASSERT_TRUE(download(3, {1, 2, 3}));
  EXPECT_EQ(run(), ready);
  EXPECT_EQ(cells[0x100 + 2048], 1);
  EXPECT_EQ(flash.erases()[0], 1U);

  ASSERT_TRUE(simple(DfuRequest::abort));
  Bytes data(4);
  EXPECT_EQ(request(DfuRequest::upload, 3, data), 4U);
  EXPECT_EQ(data, (Bytes{1, 2, 3, 0xff}));
  EXPECT_EQ(model.state(), DfuState::upload_idle);
}

TEST_F(Dfuse, IsBusyUntilTheTimeThatItAskedForIsOver) {
  ASSERT_TRUE(download(0, command(0x41, flash_base)));
  EXPECT_EQ(get_status(), (Status{DfuStatus::ok, 2, DfuState::dn_busy}));
  now += 1ms;
  EXPECT_EQ(get_status(), (Status{DfuStatus::ok, 1, DfuState::dn_busy}));
  now += 1ms;
  EXPECT_EQ(get_status(), ready);
}

TEST_F(Dfuse, StallsAHostThatDoesNotWait) {
  ASSERT_TRUE(download(0, command(0x41, flash_base)));
  get_status();
  EXPECT_FALSE(download(2, {1}));
  EXPECT_EQ(get_status(), failed(DfuStatus::err_stalled_packet));
}

TEST_F(Dfuse, ProgrammingWhatIsNotErasedIsAnErrorAndNotUndone) {
  cells[0] = 0x0f;
  ASSERT_TRUE(download(2, {0xf3}));
  EXPECT_EQ(run(), failed(DfuStatus::err_prog));
  EXPECT_EQ(cells[0], 0x03);
  EXPECT_FALSE(download(2, {0x00}));
  ASSERT_TRUE(simple(DfuRequest::clr_status));
  EXPECT_EQ(get_status(), (Status{DfuStatus::ok, 0, DfuState::idle}));
}

TEST_F(Dfuse, MassEraseTakesAllSectorsAndTheirTime) {
  cells[0] = cells[cells.size() - 1] = 0;
  ASSERT_TRUE(download(0, {0x41}));
  EXPECT_EQ(get_status().poll_ms, 32U);
  EXPECT_EQ(cells[0], 0xff);
  EXPECT_EQ(cells[cells.size() - 1], 0xff);
}

TEST_F(Dfuse, RefusesAddressesThatAreNotFlash) {
  for (const std::uint32_t address : {flash_base - 1, flash_base + (2U << 20), 0U, UINT32_MAX}) {
    for (const std::uint8_t code : {std::uint8_t{0x21}, std::uint8_t{0x41}}) {
      ASSERT_TRUE(download(0, command(code, address)));
      EXPECT_EQ(run(), failed(DfuStatus::err_target)) << address;
      ASSERT_TRUE(simple(DfuRequest::clr_status));
    }
  }
  ASSERT_TRUE(download(0, command(0x21, flash_base + (2U << 20) - 1)));
  EXPECT_EQ(run(), ready);
  ASSERT_TRUE(download(2, {0, 0}));  // its second byte is beyond the end
  EXPECT_EQ(run(), failed(DfuStatus::err_target));
  EXPECT_EQ(cells.back(), 0xff);
}

TEST_F(Dfuse, RefusesMalformedCommandsAndBlocks) {
  ASSERT_TRUE(download(0, {0x77}));
  EXPECT_EQ(run(), failed(DfuStatus::err_stalled_packet));
  ASSERT_TRUE(simple(DfuRequest::clr_status));
  ASSERT_TRUE(download(0, {0x21, 0, 0}));
  EXPECT_EQ(run(), failed(DfuStatus::err_target));
  ASSERT_TRUE(simple(DfuRequest::clr_status));
  EXPECT_FALSE(download(1, {0}));
  ASSERT_TRUE(simple(DfuRequest::clr_status));
  EXPECT_FALSE(download(2, Bytes(2049)));
  ASSERT_TRUE(simple(DfuRequest::clr_status));
  EXPECT_FALSE(simple(DfuRequest::detach));
}

TEST_F(Dfuse, UploadEndsWithAShortBlockAndRefusesWhatIsBeyond) {
  ASSERT_TRUE(download(0, command(0x21, flash_base + (2U << 20) - 3000)));
  EXPECT_EQ(run(), ready);
  ASSERT_TRUE(simple(DfuRequest::abort));
  Bytes data(2048);
  EXPECT_EQ(request(DfuRequest::upload, 2, data), 2048U);
  EXPECT_EQ(request(DfuRequest::upload, 3, data), 952U);
  EXPECT_EQ(model.state(), DfuState::idle);
  EXPECT_FALSE(request(DfuRequest::upload, 4, data));
  EXPECT_EQ(model.status(), DfuStatus::err_target);
}

TEST_F(Dfuse, ListsItsCommands) {
  Bytes data(16);
  EXPECT_EQ(request(DfuRequest::upload, 0, data), 4U);
  EXPECT_EQ(Bytes(data.begin(), data.begin() + 4), (Bytes{0x00, 0x21, 0x41, 0x92}));
}

TEST_F(Dfuse, UploadIsRefusedWhileADownloadIsOpen) {
  ASSERT_TRUE(download(2, {1}));
  run();
  Bytes data(4);
  EXPECT_FALSE(request(DfuRequest::upload, 2, data));
  EXPECT_EQ(model.state(), DfuState::error);
}

TEST_F(Dfuse, LeavesOnceItWasAskedForItsStatus) {
  ASSERT_TRUE(download(2, {}));
  EXPECT_TRUE(model.take_events().empty());
  EXPECT_EQ(get_status().state, DfuState::manifest);
  const auto events = model.take_events();
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].kind, DeviceEvent::Kind::start_image);
  EXPECT_FALSE(download(2, {1}));
  model.bus_reset();
  EXPECT_EQ(get_status().state, DfuState::manifest);
  EXPECT_TRUE(model.take_events().empty());
}

TEST_F(Dfuse, LeavingToAnywhereElseIsAReset) {
  ASSERT_TRUE(download(0, command(0x21, flash_base + 4)));
  run();
  ASSERT_TRUE(download(2, {}));
  get_status();
  EXPECT_EQ(model.take_events().at(0).kind, DeviceEvent::Kind::restart);
}

TEST_F(Dfuse, ReadUnprotectErasesAndResets) {
  cells[7] = 0;
  ASSERT_TRUE(download(0, {0x92}));
  get_status();
  EXPECT_EQ(cells[7], 0xff);
  EXPECT_EQ(model.take_events().at(0).kind, DeviceEvent::Kind::restart);
}

TEST_F(Dfuse, BusResetEndsAnError) {
  EXPECT_FALSE(download(1, {0}));
  model.bus_reset();
  EXPECT_EQ(get_status(), (Status{DfuStatus::ok, 0, DfuState::idle}));
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
