#include "drivers/dfu/dfu_core.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "drivers/dfu/dfu_driver_testing.h"

namespace hilmark {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using Kind = DfuOperation::Kind;

class Core : public DfuDriver {
 public:
  explicit Core(std::vector<DfuOperation> operations, bool tolerant = true)
      : DfuDriver(std::make_unique<DfuCore>(std::move(operations), tolerant)) {}
};

TEST(DfuCore, NothingToDoIsDone) { EXPECT_TRUE(Core({}).done()); }

TEST(DfuCore, DownloadsBlocksFromZeroAndEndsWithAnEmptyOne) {
  const Bytes content{1, 2, 3, 4, 5};
  Core core(dfu_download(content, 2));
  core.status(DfuState::idle);
  const std::vector<Bytes> blocks{{1, 2}, {3, 4}, {5}};
  for (std::size_t index = 0; index < blocks.size(); ++index) {
    EXPECT_TRUE(core.sends(DfuRequest::download, static_cast<int>(index), blocks[index]));
    core.sent();
    core.status(DfuState::download_busy, 0, 9);
    ASSERT_TRUE(core.waits(9));
    core.waited();
    core.status(DfuState::download_idle);
  }
  EXPECT_TRUE(core.sends(DfuRequest::download, 3, {}));
  core.sent();
  core.status(DfuState::manifest_sync);
  core.status(DfuState::manifest, 0, 50);
  ASSERT_TRUE(core.waits(50));
  core.waited();
  core.status(DfuState::manifest_sync, 0, 1);
  ASSERT_TRUE(core.waits(1));
  core.waited();
  core.status(DfuState::idle);
  EXPECT_TRUE(core.done());
}

TEST(DfuCore, BlockNumbersBeginAnewAfter65535) {
  const Bytes content(65'537, 7);
  const auto operations = dfu_download(content, 1);
  EXPECT_EQ(operations[65'536].block, 65'535);
  EXPECT_EQ(operations[65'537].block, 0);
  EXPECT_EQ(operations[65'538].kind, Kind::manifest);
  EXPECT_EQ(operations[65'538].block, 1);
  const auto read = dfu_upload(65'537, 1);
  EXPECT_EQ(read[65'537].block, 0);
}

TEST(DfuCore, WithoutToleranceItIsNotAskedOnceItManifests) {
  Core core({{Kind::manifest, 3}, {Kind::reset_bus}}, false);
  EXPECT_TRUE(core.sends(DfuRequest::download, 3, {}));
  core.sent();
  core.status(DfuState::manifest, 0, 30);
  ASSERT_TRUE(core.waits(30));
  core.waited();
  EXPECT_TRUE(core.resets_bus()) << "dfuMANIFEST-WAIT-RESET allows no request";
  core.bus_reset();
  EXPECT_TRUE(core.done());
}

TEST(DfuCore, ManifestationMayEndWaitingForTheReset) {
  for (const bool tolerant : {false, true}) {
    Core core({{Kind::manifest}}, tolerant);
    core.sent();
    core.status(DfuState::manifest_wait_reset);
    EXPECT_TRUE(core.done());
  }
}

TEST(DfuCore, OnlyABoardThatIsNotTolerantMayBeGoneInManifestation) {
  Core leaves({{Kind::manifest}}, false);
  leaves.sent();
  leaves.gone();
  EXPECT_TRUE(leaves.done());
  Core breaks({{Kind::manifest}}, true);
  breaks.sent();
  breaks.gone();
  EXPECT_EQ(breaks.failure().kind, ErrorKind::rig);
  EXPECT_THAT(breaks.failure().message, HasSubstr("manifestation"));
}

TEST(DfuCore, ABrokenLinkIsTheRigsTrouble) {
  Core core({{Kind::write, 4}}, false);
  core.gone();
  EXPECT_EQ(core.failure().kind, ErrorKind::rig);
  EXPECT_THAT(core.failure().message, HasSubstr("writing block 4"));
  Core reset({{Kind::reset_bus}});
  reset.gone();
  EXPECT_TRUE(reset.done()) << "what is being reset may leave";
}

TEST(DfuCore, AResetThatFailsIsNotTakenForALeave) {
  Core core({{Kind::reset_bus}}, false);
  core.reset_refused();
  EXPECT_EQ(core.failure().kind, ErrorKind::rig);
  EXPECT_THAT(core.failure().message, AllOf(HasSubstr("resetting it on the bus"), HasSubstr("no way to reset it")));
  Core waits({{Kind::to_idle}, {Kind::write}}, false);
  waits.status(DfuState::manifest_wait_reset);
  ASSERT_TRUE(waits.resets_bus());
  waits.reset_refused();
  EXPECT_THAT(waits.failure().message, HasSubstr("no way to reset it")) << "it has not had its reset";
}

TEST(DfuCore, ADownloadThatIsNotTakenForCompleteIsRefused) {
  Core core({{Kind::manifest}});
  core.sent();
  core.status(DfuState::download_idle);
  EXPECT_THAT(core.failure().message, HasSubstr("complete"));
  Core lost({{Kind::manifest}});
  lost.sent();
  lost.status(DfuState::upload_idle);
  EXPECT_THAT(lost.failure().message, HasSubstr("dfuUPLOAD-IDLE"));
}

TEST(DfuCore, EveryStatusHasItsNameInTheRefusal) {
  for (int status = 1; status <= 15; ++status) {
    for (const Kind kind : {Kind::write, Kind::manifest}) {
      Core core({{kind, 2}});
      core.sent();
      core.status(DfuState::error, status);
      EXPECT_EQ(core.failure().kind, ErrorKind::unit);
      EXPECT_THAT(core.failure().message, HasSubstr(std::string(dfu_status_name(static_cast<std::uint8_t>(status)))));
      EXPECT_THAT(core.failure().message, HasSubstr(kind == Kind::write ? "writing block 2" : "ending the download"));
    }
  }
}

TEST(DfuCore, AStallIsAskedAboutAndNeverTakenForSuccess) {
  for (const Kind kind : {Kind::write, Kind::manifest}) {
    Core core({{kind}});
    core.stalled();
    core.status(kind == Kind::write ? DfuState::download_idle : DfuState::idle);
    EXPECT_THAT(core.failure().message, HasSubstr("stall"));
  }
  Core upload({{Kind::read, 0, {}, 8}});
  upload.stalled();
  upload.status(DfuState::error, 15);
  EXPECT_THAT(upload.failure().message, HasSubstr("errSTALLEDPKT"));
  Core mute({{Kind::write}});
  mute.sent();
  mute.stalled();
  EXPECT_THAT(mute.failure().message, HasSubstr("status request was refused"));
}

TEST(DfuCore, AShortBlockEndsAnUpload) {
  Core core(dfu_upload(100, 4));
  core.status(DfuState::idle);
  EXPECT_TRUE(core.reads(0, 4));
  core.received({1, 2, 3, 4});
  EXPECT_TRUE(core.reads(1, 4));
  core.received({5});
  EXPECT_TRUE(core.asks_status()) << "no third block, which would begin a new upload";
  core.status(DfuState::idle);
  EXPECT_TRUE(core.done());
  EXPECT_EQ(core.read_bytes(), (Bytes{1, 2, 3, 4, 5}));
}

TEST(DfuCore, AnUploadThatGoesOnIsAborted) {
  Core core(dfu_upload(4, 4));
  core.status(DfuState::idle);
  core.received({1, 2, 3, 4});
  core.status(DfuState::upload_idle);
  EXPECT_TRUE(core.sends(DfuRequest::abort, 0, {}));
  core.sent();
  core.status(DfuState::idle);
  EXPECT_TRUE(core.done());
}

TEST(DfuCore, MoreThanWasAskedForIsNonsense) {
  Core core({{Kind::read, 0, {}, 2}});
  core.received({1, 2, 3});
  EXPECT_THAT(core.failure().message, HasSubstr("3 bytes where 2"));
}

TEST(DfuCore, EveryStateIsLeftForIdleAsAppendixAHasIt) {
  const struct {
    DfuState state;
    std::optional<DfuRequest> sent;  // nothing: it is asked again
  } rows[] = {{DfuState::download_idle, DfuRequest::abort},
              {DfuState::upload_idle, DfuRequest::abort},
              {DfuState::error, DfuRequest::clear_status},
              {DfuState::download_sync, std::nullopt},
              {DfuState::download_busy, std::nullopt},
              {DfuState::manifest_sync, std::nullopt},
              {DfuState::manifest, std::nullopt}};
  for (const auto& row : rows) {
    Core core({{Kind::to_idle}});
    core.status(row.state, 0, 2);
    ASSERT_TRUE(core.waits(2)) << name_of(row.state);
    core.waited();
    if (row.sent) {
      EXPECT_TRUE(core.sends(*row.sent, 0, {})) << name_of(row.state);
      core.sent();
    }
    core.status(DfuState::idle);
    EXPECT_TRUE(core.done()) << name_of(row.state);
  }
}

TEST(DfuCore, OneThatWaitsForItsResetGetsItAndTheRunIsToldToBeginAgain) {
  for (const bool manifests : {false, true}) {
    Core core({{Kind::to_idle}, {Kind::write}}, false);
    core.status(manifests ? DfuState::manifest : DfuState::manifest_wait_reset);
    ASSERT_TRUE(core.resets_bus());
    core.bus_reset();
    EXPECT_THAT(core.failure().message, HasSubstr("run again"));
  }
}

TEST(DfuCore, AnApplicationIsNoBootloader) {
  for (const DfuState state : {DfuState::app_idle, DfuState::app_detach}) {
    Core core({{Kind::to_idle}});
    core.status(state);
    EXPECT_THAT(core.failure().message, HasSubstr("not its bootloader"));
  }
}

TEST(DfuCore, AnErrorThatCannotBeClearedIsGivenUp) {
  Core core({{Kind::to_idle}});
  for (int round = 0; round < 8; ++round) {
    core.status(DfuState::error, 10);
    core.sent();
  }
  core.status(DfuState::error, 10);
  EXPECT_THAT(core.failure().message, HasSubstr("errFIRMWARE"));
  EXPECT_THAT(core.failure().message, HasSubstr("power-cycle it"));
}

TEST(DfuCore, ABoardThatWantsHoursIsRefused) {
  Core core({{Kind::manifest}});
  core.sent();
  core.status(DfuState::manifest, 0, 60'001);
  EXPECT_THAT(core.failure().message, HasSubstr("60001 ms"));
  Core often({{Kind::write}});
  often.sent();
  for (int round = 0; round < 6; ++round) {
    often.status(DfuState::download_busy, 0, 10'000);
    ASSERT_TRUE(often.waits(10'000));
    often.waited();
  }
  often.status(DfuState::download_busy, 0, 1);
  EXPECT_THAT(often.failure().message, HasSubstr("60001 ms")) << "many short times make a long one";
}

}  // namespace
}  // namespace hilmark
