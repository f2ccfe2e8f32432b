#include "boards/virtual/dfu_model.h"

#include <gtest/gtest.h>

#include "boards/virtual/dfuse_model.h"

namespace virtual_lab {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t flash_base = 0x08004000;
constexpr std::size_t flash_size = 16UL * 1024;

struct Status {
  DfuStatus status;
  unsigned poll_ms;
  DfuState state;
  friend bool operator==(const Status&, const Status&) = default;
};

// A host, at the level of requests.
class Plugged : public testing::Test {
 protected:
  MonotonicClock clock() {
    return [this] { return now; };
  }
  void plug(const DfuManners& manners, std::string_view faults = "") {
    model = std::make_unique<DfuModel>(flash, "V1", clock(), manners, Faults::parse(faults).value());
    configure();
  }
  void configure() {
    Bytes none;
    EXPECT_TRUE(model->control({0x00, 9, 1, 0, 0}, none));
  }
  void plug_dfuse(std::string_view faults) {
    model = std::make_unique<DfuseModel>(flash, "V1", clock(), Faults::parse(faults).value());
  }
  std::optional<std::size_t> request(DfuRequest code, std::uint16_t value, Bytes& data) {
    const bool in = code == DfuRequest::upload || code == DfuRequest::get_status || code == DfuRequest::get_state;
    const SetupPacket setup{static_cast<std::uint8_t>(in ? 0xa1 : 0x21), static_cast<std::uint8_t>(code), value, 0,
                            static_cast<std::uint16_t>(data.size())};
    return model->control(setup, data);
  }
  bool download(std::uint16_t block, Bytes data) { return request(DfuRequest::dnload, block, data).has_value(); }
  bool simple(DfuRequest code) {
    Bytes none;
    return request(code, 0, none).has_value();
  }
  std::optional<Status> get_status() {
    Bytes data(6);
    if (request(DfuRequest::get_status, 0, data) != 6U) return std::nullopt;
    return Status{static_cast<DfuStatus>(data[0]), static_cast<unsigned>(data[1] | data[2] << 8 | data[3] << 16),
                  static_cast<DfuState>(data[4])};
  }
  // What a host does after each block: ask and wait until the board is not busy any more.
  Status run() {
    for (;;) {
      const auto status = get_status();
      if (!status) return {DfuStatus::ok, 0, DfuState::app_idle};
      ++polls;
      now += std::chrono::milliseconds(status->poll_ms);
      if (status->state != DfuState::dn_busy && status->state != DfuState::manifest) return *status;
    }
  }
  static constexpr Status ready{DfuStatus::ok, 0, DfuState::dnload_idle};
  static constexpr Status idle{DfuStatus::ok, 0, DfuState::idle};
  static constexpr Status failed(DfuStatus status) { return {status, 0, DfuState::error}; }

  std::chrono::steady_clock::time_point now;
  int polls = 0;
  std::vector<std::uint8_t> cells = std::vector<std::uint8_t>(flash_size, 0x5a);
  FlashMemory flash{*FlashLayout::parse("@Flash /0x08004000/4*4Kg"), cells};
  std::unique_ptr<DfuBootloader> model;
};

using Dfu = Plugged;
using DfuFaults = Plugged;

TEST_F(Dfu, ErasesAsItGoesAndProgramsAndReadsBack) {
  plug({});
  for (std::uint16_t block = 0; block < 3; ++block) {
    ASSERT_TRUE(download(block, Bytes(2048, static_cast<std::uint8_t>(block + 1))));
    EXPECT_EQ(run(), ready);
  }
  EXPECT_EQ(cells[0], 1);
  EXPECT_EQ(cells[2UL * 2048], 3);
  EXPECT_EQ(cells[3UL * 2048], 0xff) << "the rest of a sector that was begun is erased";
  EXPECT_EQ(cells[8192], 0x5a) << "a sector that was not come to";
  EXPECT_EQ(flash.erases()[0], 1U);
  ASSERT_TRUE(download(3, {}));
  EXPECT_EQ(run(), idle);
  Bytes data(2048);
  EXPECT_EQ(request(DfuRequest::upload, 0, data), 2048U);
  EXPECT_EQ(request(DfuRequest::upload, 1, data), 2048U);
  EXPECT_EQ(data[0], 2);
  EXPECT_EQ(model->state(), DfuState::upload_idle);
  ASSERT_TRUE(simple(DfuRequest::abort));
  EXPECT_EQ(get_status(), idle);
}

TEST_F(Dfu, TheUploadEndsWithAShortBlock) {
  plug({});
  Bytes data(2048);
  for (std::uint16_t block = 0; block < flash_size / 2048; ++block) {
    EXPECT_EQ(request(DfuRequest::upload, block, data), 2048U);
  }
  EXPECT_EQ(request(DfuRequest::upload, flash_size / 2048, data), 0U);
  EXPECT_EQ(get_status(), idle);
}

TEST_F(Dfu, AskedTooEarlyItIsInError) {
  plug({});
  for (const DfuRequest early : {DfuRequest::get_status, DfuRequest::get_state}) {
    ASSERT_TRUE(download(0, {1}));
    EXPECT_EQ(get_status(), (Status{DfuStatus::ok, 3, DfuState::dn_busy}));
    now += 2ms;
    Bytes data(6);
    EXPECT_FALSE(request(early, 0, data));
    EXPECT_EQ(get_status(), failed(DfuStatus::err_stalled_packet));
    ASSERT_TRUE(simple(DfuRequest::clr_status));
  }
  ASSERT_TRUE(download(0, {1}));
  EXPECT_EQ(get_status()->state, DfuState::dn_busy);
  now += 3ms;
  EXPECT_EQ(get_status(), ready);
}

TEST_F(Dfu, WrongBlockOrderIsNoticed) {
  plug({});
  EXPECT_FALSE(download(1, {1}));
  EXPECT_EQ(get_status(), failed(DfuStatus::err_address));
  ASSERT_TRUE(simple(DfuRequest::clr_status));
  ASSERT_TRUE(download(0, {1}));
  EXPECT_EQ(run(), ready);
  EXPECT_FALSE(download(2, {1}));
  ASSERT_TRUE(simple(DfuRequest::clr_status));
  Bytes data(16);
  EXPECT_FALSE(request(DfuRequest::upload, 3, data));
  EXPECT_EQ(model->status(), DfuStatus::err_address);
}

TEST_F(Dfu, MoreThanTheFlashHoldsIsRefused) {
  plug({});
  for (std::uint16_t block = 0; block < flash_size / 2048; ++block) {
    ASSERT_TRUE(download(block, Bytes(2048)));
    ASSERT_EQ(run(), ready);
  }
  ASSERT_TRUE(download(flash_size / 2048, {1}));
  EXPECT_EQ(run(), failed(DfuStatus::err_address));
}

TEST_F(Dfu, EveryStateRefusesWhatAppendixAForbids) {
  plug({});
  EXPECT_FALSE(simple(DfuRequest::clr_status)) << "dfuIDLE";
  ASSERT_TRUE(simple(DfuRequest::clr_status));
  EXPECT_FALSE(download(0, {})) << "an empty download is no beginning";
  EXPECT_FALSE(simple(DfuRequest::abort)) << "dfuERROR";
  ASSERT_TRUE(simple(DfuRequest::clr_status));
  EXPECT_FALSE(simple(DfuRequest::detach));
  ASSERT_TRUE(simple(DfuRequest::clr_status));
  EXPECT_FALSE(download(0, Bytes(2049)));
  ASSERT_TRUE(simple(DfuRequest::clr_status));
  ASSERT_TRUE(download(0, {1}));
  EXPECT_FALSE(simple(DfuRequest::abort)) << "dfuDNLOAD-SYNC";
  ASSERT_TRUE(simple(DfuRequest::clr_status));
  ASSERT_TRUE(download(0, {1}));
  ASSERT_EQ(run(), ready);
  Bytes data(4);
  EXPECT_FALSE(request(DfuRequest::upload, 0, data)) << "dfuDNLOAD-IDLE";
  ASSERT_TRUE(simple(DfuRequest::clr_status));
  ASSERT_TRUE(request(DfuRequest::upload, 0, data));
  EXPECT_FALSE(download(0, {1})) << "dfuUPLOAD-IDLE";
}

TEST_F(Dfu, WithoutToleranceItWaitsForTheReset) {
  plug({.manifestation_tolerant = false});
  ASSERT_TRUE(download(0, {1}));
  ASSERT_EQ(run(), ready);
  ASSERT_TRUE(download(1, {}));
  EXPECT_EQ(get_status(), (Status{DfuStatus::ok, 5, DfuState::manifest}));
  now += 5ms;
  EXPECT_EQ(get_status(), (Status{DfuStatus::ok, 0, DfuState::manifest_wait_reset}));
  EXPECT_FALSE(download(0, {1}));
  EXPECT_EQ(get_status()->state, DfuState::manifest_wait_reset) << "nothing but a reset leads out";
  EXPECT_TRUE(model->take_events().empty());
  model->bus_reset();
  model->bus_reset();
  const auto events = model->take_events();
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].kind, DeviceEvent::Kind::bus_reset);
}

TEST_F(Dfu, ABusResetLeavesFromEveryState) {
  plug({});
  EXPECT_FALSE(download(9, {1}));
  model->bus_reset();
  EXPECT_EQ(model->take_events().at(0).kind, DeviceEvent::Kind::bus_reset);
}

TEST_F(Dfu, TheBusResetsOfAnEnumerationLeaveItWhereItIs) {
  model = std::make_unique<DfuModel>(flash, "V1", clock());
  model->bus_reset();
  model->bus_reset();
  EXPECT_TRUE(model->take_events().empty());
  configure();
  model->bus_reset();
  EXPECT_EQ(model->take_events().at(0).kind, DeviceEvent::Kind::bus_reset);
}

TEST_F(Dfu, SaysWhatItCanDo) {
  const struct {
    DfuManners manners;
    std::uint8_t attributes;
  } rows[] = {{{}, 0x0f}, {{.manifestation_tolerant = false}, 0x0b}, {{.can_upload = false}, 0x0d}};
  for (const auto& row : rows) {
    plug(row.manners);
    const Bytes& configuration = model->descriptors().configuration;
    EXPECT_EQ(configuration[18 + 2], row.attributes);
    EXPECT_EQ(configuration[18 + 7] | configuration[18 + 8] << 8, 0x0110);
    Bytes data(4);
    EXPECT_EQ(request(DfuRequest::upload, 0, data).has_value(), row.manners.can_upload);
  }
}

TEST_F(Dfu, EveryRequestInEveryStateIsAnsweredOrStalled) {
  for (const char* faults : {"", "short-upload@0,corrupt-flash@0x08004000,lie-poll"}) {
    plug({}, faults);
    for (unsigned value = 0; value < 3; ++value) {
      for (unsigned index = 0; index < 65536; ++index) {
        Bytes data(index % 7 == 0 ? 5000 : index % 7, 0x41);
        const SetupPacket setup{static_cast<std::uint8_t>(index), static_cast<std::uint8_t>(index >> 8),
                                static_cast<std::uint16_t>(value), 0, static_cast<std::uint16_t>(data.size())};
        EXPECT_LE(model->control(setup, data).value_or(0), data.size());
      }
    }
  }
}

TEST_F(DfuFaults, ATransferIsStalled) {
  for (const bool dfuse : {false, true}) {
    if (dfuse)
      plug_dfuse("stall-at=3");
    else
      plug({}, "stall-at=3");
    EXPECT_TRUE(get_status());
    EXPECT_TRUE(get_status());
    EXPECT_FALSE(download(dfuse ? 2 : 0, {1}));
    EXPECT_EQ(get_status(), failed(DfuStatus::err_stalled_packet));
    ASSERT_TRUE(simple(DfuRequest::clr_status));
    EXPECT_TRUE(download(dfuse ? 2 : 0, {1})) << "once";
  }
}

TEST_F(DfuFaults, BusyForLongIsSaidAndMeant) {
  for (const bool dfuse : {false, true}) {
    if (dfuse)
      plug_dfuse("busy-ms=5000");
    else
      plug({}, "busy-ms=5000");
    cells.assign(flash_size, 0xff);
    ASSERT_TRUE(download(dfuse ? 2 : 0, {1}));
    const auto start = now;
    EXPECT_EQ(get_status()->poll_ms, dfuse ? 5001U : 5003U);
    now = start + 5003ms;
    EXPECT_EQ(get_status(), ready);
  }
}

TEST_F(DfuFaults, ALyingPollTimeIsToldAgainAndAgain) {
  for (const bool dfuse : {false, true}) {
    if (dfuse)
      plug_dfuse("lie-poll,busy-ms=20");
    else
      plug({}, "lie-poll,busy-ms=20");
    cells.assign(flash_size, 0xff);
    polls = 0;
    ASSERT_TRUE(download(dfuse ? 2 : 0, {1}));
    EXPECT_EQ(get_status(), (Status{DfuStatus::ok, 1, DfuState::dn_busy}));
    now += 1ms;
    EXPECT_EQ(run(), ready);
    EXPECT_GE(polls, 20);
  }
}

TEST_F(DfuFaults, ABlockEndsInEachStatus) {
  const char* names[] = {"errTARGET", "errFILE",   "errWRITE",   "errERASE",   "errCHECK_ERASED",
                         "errPROG",   "errVERIFY", "errADDRESS", "errNOTDONE", "errFIRMWARE",
                         "errVENDOR", "errUSBR",   "errPOR",     "errUNKNOWN", "errSTALLEDPKT"};
  for (int status = 1; status <= 15; ++status) {
    const std::string name = names[status - 1];
    plug({}, "status=" + name + "@1");
    ASSERT_TRUE(download(0, {1}));
    EXPECT_EQ(run(), ready);
    ASSERT_TRUE(download(1, {2}));
    EXPECT_EQ(run(), failed(static_cast<DfuStatus>(status))) << name;
    plug_dfuse("status=" + name + "@3");
    cells.assign(flash_size, 0xff);
    ASSERT_TRUE(download(2, {1}));
    EXPECT_EQ(run(), ready);
    ASSERT_TRUE(download(3, {2}));
    EXPECT_EQ(run(), failed(static_cast<DfuStatus>(status))) << name;
  }
}

TEST_F(DfuFaults, AnUploadIsCutShort) {
  for (const bool dfuse : {false, true}) {
    const std::uint16_t first = dfuse ? 2 : 0;
    if (dfuse)
      plug_dfuse("short-upload@3");
    else
      plug({}, "short-upload@1");
    Bytes data(100);
    EXPECT_EQ(request(DfuRequest::upload, first, data), 100U);
    EXPECT_EQ(request(DfuRequest::upload, first + 1, data), 50U);
    EXPECT_EQ(get_status(), idle);
  }
}

TEST_F(DfuFaults, OneCellReadsWrong) {
  for (const bool dfuse : {false, true}) {
    if (dfuse)
      plug_dfuse("corrupt-flash@0x08004003");
    else
      plug({}, "corrupt-flash@0x08004003");
    Bytes data(5);
    ASSERT_EQ(request(DfuRequest::upload, dfuse ? 2 : 0, data), 5U);
    EXPECT_EQ(data, (Bytes{0x5a, 0x5a, 0x5a, 0x5b, 0x5a}));
  }
  plug({}, "corrupt-flash@0x08003fff");
  Bytes data(5);
  ASSERT_EQ(request(DfuRequest::upload, 0, data), 5U);
  EXPECT_EQ(data, Bytes(5, 0x5a)) << "an address before the flash";
}

TEST_F(DfuFaults, TheCableGoesBeforeATransferIsAnswered) {
  for (const bool dfuse : {false, true}) {
    if (dfuse)
      plug_dfuse("unplug-at=2");
    else
      plug({}, "unplug-at=2");
    EXPECT_TRUE(get_status());
    EXPECT_FALSE(model->pulled_out());
    EXPECT_FALSE(get_status());
    EXPECT_TRUE(model->pulled_out());
    EXPECT_FALSE(get_status()) << "for good";
    const auto events = model->take_events();
    ASSERT_EQ(events.size(), 1U);
    EXPECT_EQ(events[0].kind, DeviceEvent::Kind::unplug);
  }
}

}  // namespace
}  // namespace virtual_lab
