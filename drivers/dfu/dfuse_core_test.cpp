#include "drivers/dfu/dfuse_core.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "drivers/dfu/dfu_driver_testing.h"

namespace hilmark {
namespace {

using testing::HasSubstr;
using Kind = DfuSeOperation::Kind;

class Core : public DfuDriver {
 public:
  explicit Core(std::vector<DfuSeOperation> operations)
      : DfuDriver(std::make_unique<DfuSeCore>(std::move(operations))) {}
};

TEST(DfuSeCore, NothingToDoIsDone) { EXPECT_TRUE(Core({}).done()); }

TEST(DfuSeCore, ErasesAndWaitsForExactlyThePollTimeout) {
  Core core({{Kind::erase, 0x08020000}});
  EXPECT_TRUE(core.sends(DfuRequest::download, 0, {0x41, 0x00, 0x00, 0x02, 0x08}));
  core.sent();
  core.status(DfuState::download_busy, 0, 300);
  EXPECT_TRUE(core.waits(300));
  core.waited();
  core.status(DfuState::download_idle);
  EXPECT_TRUE(core.done());
}

TEST(DfuSeCore, ErasesTheWholeFlashByACommandWithoutAddress) {
  Core core(dfuse_erase_all());
  core.status(DfuState::idle);
  EXPECT_TRUE(core.sends(DfuRequest::download, 0, {0x41}));
  core.sent();
  core.status(DfuState::download_busy, 0, 30'000);
  EXPECT_TRUE(core.waits(30'000));
  core.waited();
  core.status(DfuState::download_idle);
  core.status(DfuState::download_idle);
  EXPECT_TRUE(core.sends(DfuRequest::abort, 0, {}));
  core.sent();
  core.status(DfuState::idle);
  EXPECT_TRUE(core.done());
}

TEST(DfuSeCore, AZeroPollTimeoutMeansNoWaitAtAll) {
  Core core({{Kind::erase, 0}});
  core.sent();
  core.status(DfuState::download_busy);
  EXPECT_TRUE(core.asks_status());
}

TEST(DfuSeCore, EveryBusyAnswerIsWaitedFor) {
  Core core({{Kind::erase, 0}});
  core.sent();
  for (const int poll_ms : {20, 1, 5}) {
    core.status(DfuState::download_busy, 0, poll_ms);
    ASSERT_TRUE(core.waits(poll_ms));
    core.waited();
  }
  core.status(DfuState::download_idle, 0, 7);
  EXPECT_TRUE(core.waits(7)) << "the board may want time even when it is done";
  core.waited();
  EXPECT_TRUE(core.done());
}

TEST(DfuSeCore, WritesBlocksFromNumberTwoOn) {
  const Bytes content{1, 2, 3, 4, 5};
  Core core(dfuse_download({0x100}, 0x100, content, 2));
  core.status(DfuState::idle);
  EXPECT_TRUE(core.sends(DfuRequest::download, 0, {0x41, 0x00, 0x01, 0x00, 0x00}));
  core.sent();
  core.status(DfuState::download_idle);
  EXPECT_TRUE(core.sends(DfuRequest::download, 0, {0x21, 0x00, 0x01, 0x00, 0x00}));
  core.sent();
  core.status(DfuState::download_idle);
  const std::vector<Bytes> blocks{{1, 2}, {3, 4}, {5}};
  for (std::size_t index = 0; index < blocks.size(); ++index) {
    EXPECT_TRUE(core.sends(DfuRequest::download, static_cast<int>(index) + 2, blocks[index]));
    core.sent();
    core.status(DfuState::download_idle);
  }
  EXPECT_TRUE(core.done());
}

TEST(DfuSeCore, ReadsFromIdleAndNotFromDownloadIdle) {
  Core core(dfuse_upload(0x100, 3, 2));
  core.status(DfuState::idle);
  core.sent();
  core.status(DfuState::download_idle);
  core.status(DfuState::download_idle);
  EXPECT_TRUE(core.sends(DfuRequest::abort, 0, {}));
  core.sent();
  core.status(DfuState::idle);
  EXPECT_TRUE(core.reads(2, 2));
  core.received({7, 8});
  EXPECT_TRUE(core.reads(3, 1));
  core.received({9});
  core.status(DfuState::upload_idle);
  core.sent();
  core.status(DfuState::idle);
  EXPECT_TRUE(core.done());
  EXPECT_EQ(core.read_bytes(), (Bytes{7, 8, 9}));
}

TEST(DfuSeCore, AShortReadIsTheBoardsFault) {
  Core core({{Kind::read, 0x100, 0, {}, 4}});
  core.received({1, 2, 3});
  EXPECT_EQ(core.failure().kind, ErrorKind::unit);
  EXPECT_THAT(core.failure().message, HasSubstr("sent 3 of the 4 bytes"));
}

TEST(DfuSeCore, RecoversFromAnEarlierError) {
  Core core({{Kind::to_idle}});
  core.status(DfuState::error, 15);
  EXPECT_TRUE(core.sends(DfuRequest::clear_status, 0, {}));
  core.sent();
  core.status(DfuState::idle);
  EXPECT_TRUE(core.done());
}

TEST(DfuSeCore, AnAbandonedTransferIsAborted) {
  for (const DfuState state : {DfuState::download_idle, DfuState::upload_idle}) {
    Core core({{Kind::to_idle}});
    core.status(state);
    EXPECT_TRUE(core.sends(DfuRequest::abort, 0, {})) << name_of(state);
    core.stalled();  // Some bootloaders refuse ABORT and are in dfuERROR then.
    core.status(DfuState::error, 15);
    EXPECT_TRUE(core.sends(DfuRequest::clear_status, 0, {}));
  }
}

TEST(DfuSeCore, WhatIsBeingProgrammedIsWaitedForAndNotAborted) {
  for (const DfuState state : {DfuState::download_sync, DfuState::download_busy, DfuState::manifest_sync}) {
    Core core({{Kind::to_idle}});
    core.status(state, 0, 4);
    ASSERT_TRUE(core.waits(4)) << name_of(state);
    core.waited();
    EXPECT_TRUE(core.asks_status()) << name_of(state);
  }
}

TEST(DfuSeCore, ABoardOnItsWayOutIsResetAndTheNextRunFindsItWell) {
  for (const DfuState state : {DfuState::manifest, DfuState::manifest_wait_reset}) {
    for (const bool vanishes : {false, true}) {
      Core core({{Kind::to_idle}, {Kind::erase, 0}});
      core.status(state);
      ASSERT_TRUE(core.resets_bus()) << name_of(state);
      if (vanishes)
        core.gone();
      else
        core.bus_reset();
      EXPECT_THAT(core.failure().message, HasSubstr("run again"));
      EXPECT_EQ(core.failure().kind, ErrorKind::unit);
    }
  }
}

TEST(DfuSeCore, RecoveryIsGivenUpAfterAWhile) {
  Core core({{Kind::to_idle}});
  for (int round = 0; round < 8; ++round) {
    core.status(DfuState::error, 14);
    core.sent();
  }
  core.status(DfuState::error, 14);
  EXPECT_THAT(core.failure().message, HasSubstr("power-cycle it"));
}

TEST(DfuSeCore, AnApplicationIsNoBootloader) {
  Core core({{Kind::to_idle}});
  core.status(DfuState::app_idle);
  EXPECT_THAT(core.failure().message, HasSubstr("not its bootloader"));
}

TEST(DfuSeCore, ARefusalNamesStatusAndAddress) {
  for (int status = 1; status <= 15; ++status) {
    Core core({{Kind::write, 0x08001000, 2, {}, 0}});
    core.sent();
    core.status(DfuState::error, status);
    EXPECT_EQ(core.failure().kind, ErrorKind::unit);
    EXPECT_THAT(core.failure().message, HasSubstr(std::string(dfu_status_name(static_cast<std::uint8_t>(status)))));
    EXPECT_THAT(core.failure().message, HasSubstr("writing block 2 at 0x08001000"));
  }
}

TEST(DfuSeCore, AStallIsAskedAboutAndNeverTakenForSuccess) {
  Core refused({{Kind::erase, 0x1234}});
  refused.stalled();
  refused.status(DfuState::error, 8);
  EXPECT_THAT(refused.failure().message, HasSubstr("errADDRESS"));
  Core silent({{Kind::erase, 0x1234}});
  silent.stalled();
  silent.status(DfuState::download_idle);
  EXPECT_THAT(silent.failure().message, HasSubstr("stall"));
  Core mute({{Kind::erase, 0x1234}});
  mute.sent();
  mute.stalled();
  EXPECT_THAT(mute.failure().message, HasSubstr("status request was refused"));
}

TEST(DfuSeCore, NonsenseForAStatusIsQuoted) {
  Core core({{Kind::to_idle}});
  core.received({1, 2, 3});
  EXPECT_THAT(core.failure().message, HasSubstr("010203"));
}

TEST(DfuSeCore, ABoardThatWantsHoursIsRefused) {
  Core core({{Kind::erase, 0}});
  core.sent();
  core.status(DfuState::download_busy, 0, 0xffffff);
  EXPECT_THAT(core.failure().message, HasSubstr("16777215 ms"));
}

TEST(DfuSeCore, ABoardThatStaysBusyWithoutWaitingIsGivenUp) {
  Core core({{Kind::erase, 0}});
  core.sent();
  for (int round = 0; round <= 100'000 && core.asks_status(); ++round) core.status(DfuState::download_busy);
  EXPECT_THAT(core.failure().message, HasSubstr("busy for ever"));
}

TEST(DfuSeCore, LeavingEndsInManifestationOrWithTheBoardGone) {
  for (const bool vanishes : {false, true}) {
    Core core(dfuse_leave(0x08000000));
    core.status(DfuState::idle);
    core.sent();
    core.status(DfuState::download_idle);
    EXPECT_TRUE(core.sends(DfuRequest::download, 0, {}));
    core.sent();
    if (vanishes)
      core.gone();
    else
      core.status(DfuState::manifest);
    EXPECT_TRUE(core.done());
  }
}

TEST(DfuSeCore, ABoardThatStaysIsToldSo) {
  Core core({{Kind::leave}});
  core.sent();
  core.status(DfuState::download_idle);
  EXPECT_THAT(core.failure().message, HasSubstr("did not start the application"));
}

TEST(DfuSeCore, ABrokenLinkIsTheRigsTrouble) {
  Core core({{Kind::write, 0x10, 0, {}, 0}});
  core.gone();
  EXPECT_EQ(core.failure().kind, ErrorKind::rig);
  EXPECT_THAT(core.failure().message, HasSubstr("writing block 0"));
}

}  // namespace
}  // namespace hilmark
