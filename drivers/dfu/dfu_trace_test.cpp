#include "drivers/dfu/dfu_trace.h"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hilmark {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Outcome = DfuExchange::Outcome;

class Trace : public testing::Test {
 public:
  Trace& status(DfuState state, int poll_ms = 0, int status = 0) {
    return add(DfuRequest::get_status, 0, 6, Outcome::answered,
               {static_cast<std::uint8_t>(status), static_cast<std::uint8_t>(poll_ms),
                static_cast<std::uint8_t>(poll_ms >> 8), 0, static_cast<std::uint8_t>(state), 0});
  }
  Trace& download(std::uint16_t block, std::size_t size = 4) { return add(DfuRequest::download, block, size); }
  Trace& upload(std::uint16_t block, std::size_t size = 4, std::size_t got = 4) {
    return add(DfuRequest::upload, block, size, Outcome::answered, Bytes(got));
  }
  Trace& add(DfuRequest request, std::uint16_t value = 0, std::size_t size = 0, Outcome outcome = Outcome::answered,
             Bytes answer = {}) {
    const SteadyTime begun = now;
    now += std::chrono::microseconds(100);
    steps.emplace_back(DfuExchange{begun, now, request, value, size, outcome, std::move(answer)});
    return *this;
  }
  Trace& wait(std::chrono::microseconds time) {
    now += time;
    return *this;
  }
  [[nodiscard]] std::vector<std::string> faults() const { return check_dfu_trace(steps, functional).faults; }

  SteadyTime now{};
  std::vector<DfuTraceStep> steps;
  DfuFunctional functional{true, true, true, true, Milliseconds{255}, 64, 0x0110};
};

TEST_F(Trace, AWholeDownloadAndUploadIsInOrder) {
  status(DfuState::error, 0, 15).add(DfuRequest::clear_status).status(DfuState::idle);
  download(0).status(DfuState::download_busy, 3).wait(Milliseconds{3}).status(DfuState::download_idle);
  download(1).status(DfuState::download_idle);
  download(2, 0).status(DfuState::manifest, 20).wait(Milliseconds{20}).status(DfuState::idle);
  upload(0).upload(1, 4, 1).upload(0).add(DfuRequest::abort).status(DfuState::idle);
  EXPECT_THAT(faults(), IsEmpty());
  EXPECT_EQ(check_dfu_trace(steps, functional).demanded, Milliseconds{23});
}

TEST_F(Trace, AWaitThatIsTooShortByAMicrosecondIsSeen) {
  status(DfuState::idle).download(0).status(DfuState::download_busy, 3);
  wait(std::chrono::microseconds(2999)).status(DfuState::download_idle);
  EXPECT_THAT(faults(), ElementsAre("request 4, DFU_GETSTATUS: 1 us before bwPollTimeout was over"));
}

TEST_F(Trace, APollTimeInAnyStateCounts) {
  status(DfuState::idle, 5).download(0);
  EXPECT_THAT(faults(), ElementsAre(HasSubstr("before bwPollTimeout")));
}

TEST_F(Trace, EveryStateForbidsWhatAppendixASaysItDoes) {
  using R = DfuRequest;
  const struct {
    DfuState state;
    std::vector<R> allowed;
  } rows[] = {{DfuState::app_idle, {R::detach, R::get_status, R::get_state}},
              {DfuState::app_detach, {R::get_status, R::get_state}},
              {DfuState::idle, {R::download, R::upload, R::get_status, R::get_state, R::abort}},
              {DfuState::download_sync, {R::get_status, R::get_state}},
              {DfuState::download_busy, {}},
              {DfuState::download_idle, {R::download, R::get_status, R::get_state, R::abort}},
              {DfuState::manifest_sync, {R::get_status, R::get_state}},
              {DfuState::manifest, {}},
              {DfuState::manifest_wait_reset, {}},
              {DfuState::upload_idle, {R::upload, R::get_status, R::get_state, R::abort}},
              {DfuState::error, {R::get_status, R::clear_status, R::get_state}}};
  for (const auto& row : rows) {
    const bool passes_by_itself = row.state == DfuState::download_busy || row.state == DfuState::manifest;
    for (const R request :
         {R::detach, R::download, R::upload, R::get_status, R::clear_status, R::get_state, R::abort}) {
      steps.clear();
      status(row.state, passes_by_itself ? 1 : 0).add(request, 0, 4);
      const bool allowed = std::find(row.allowed.begin(), row.allowed.end(), request) != row.allowed.end();
      EXPECT_EQ(faults().empty(), allowed) << name_of(row.state) << " " << name_of(request);
    }
  }
}

TEST_F(Trace, WithoutToleranceNothingMayFollowManifestationButAReset) {
  functional.manifestation_tolerant = false;
  status(DfuState::download_idle).download(7, 0).status(DfuState::manifest, 2).wait(Milliseconds{2});
  const auto before = steps;
  status(DfuState::idle);
  EXPECT_THAT(faults(), ElementsAre("request 4, DFU_GETSTATUS: not allowed in dfuMANIFEST-WAIT-RESET"));
  steps = before;
  steps.emplace_back(DfuBusWasReset{now});
  status(DfuState::idle);
  EXPECT_THAT(faults(), IsEmpty());
}

TEST_F(Trace, WhatTheBoardCannotDoIsForbidden) {
  functional.can_upload = false;
  status(DfuState::idle).upload(0);
  EXPECT_THAT(faults(), ElementsAre(HasSubstr("DFU_UPLOAD: not allowed in dfuIDLE")));
  functional.can_download = false;
  steps.clear();
  status(DfuState::idle).download(0);
  EXPECT_THAT(faults(), ElementsAre(HasSubstr("DFU_DNLOAD: not allowed in dfuIDLE")));
}

TEST_F(Trace, AnEmptyDownloadIsNoBeginning) {
  status(DfuState::idle).download(0, 0);
  EXPECT_THAT(faults(), ElementsAre(HasSubstr("not allowed in dfuIDLE")));
  functional.version = 0x011a;
  EXPECT_THAT(faults(), IsEmpty()) << "DfuSe leaves by it";
}

TEST_F(Trace, BlocksCountFromZeroAndWrap) {
  status(DfuState::idle).download(1).status(DfuState::download_idle).download(3);
  EXPECT_THAT(faults(), ElementsAre("request 2, DFU_DNLOAD: block 1 where 0 was next",
                                    "request 4, DFU_DNLOAD: block 3 where 2 was next"));
  functional.version = 0x011a;
  EXPECT_THAT(faults(), IsEmpty()) << "block numbers are addresses in DfuSe";
  functional.version = 0x0110;
  steps.clear();
  status(DfuState::download_idle).download(65'535).status(DfuState::download_idle).download(0);
  EXPECT_THAT(faults(), IsEmpty());
}

TEST_F(Trace, BlocksAreNoLongerThanTheBoardTakes) {
  status(DfuState::idle).download(0, 65);
  EXPECT_THAT(faults(), ElementsAre(HasSubstr("65 bytes are more than wTransferSize, 64")));
}

TEST_F(Trace, AStallLeadsToTheErrorState) {
  status(DfuState::idle).add(DfuRequest::download, 0, 4, Outcome::stalled).add(DfuRequest::abort);
  EXPECT_THAT(faults(), ElementsAre("request 3, DFU_ABORT: not allowed in dfuERROR"));
}

TEST_F(Trace, WhatIsUnknownForbidsNothing) {
  download(9);
  EXPECT_THAT(faults(), IsEmpty()) << "nothing was said of the state";
  add(DfuRequest::get_status, 0, 6, Outcome::lost).add(DfuRequest::clear_status);
  EXPECT_THAT(faults(), IsEmpty()) << "the board may have been replaced meanwhile";
  add(DfuRequest::get_status, 0, 6, Outcome::answered, {1, 2}).add(DfuRequest::detach);
  EXPECT_THAT(faults(), IsEmpty()) << "a status that is none says nothing";
}

}  // namespace
}  // namespace hilmark
