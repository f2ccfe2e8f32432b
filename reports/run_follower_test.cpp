#include "reports/run_follower.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/base/temporary_folder.h"
#include "reports/evidence_text.h"
#include "reports/overview.h"
#include "reports/sample_run.h"

namespace hilmark::reports {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing_support::event_line;
using testing_support::sample_run;
using testing_support::write_lines;

/// "SNI-01 error/rig the message" for each verdict of `lines`.
std::vector<std::string> verdicts(const std::vector<std::string>& lines, const std::string& unit = "u") {
  std::vector<std::string> seen;
  RunFollower follower(RunFollower::Keep::evidence, [&](const CaseOutcome& outcome) {
    if (outcome.unit->id != unit) return;
    seen.push_back(fmt::format("{} {}{}{} {}", outcome.planned->id, name_of(outcome.verdict),
                               outcome.error_type.empty() ? "" : "/", outcome.error_type, outcome.message));
  });
  for (const std::string& line : lines) {
    const auto followed = follower.follow(parse_event(line).value());
    if (!followed) return {followed.error().message};
  }
  follower.end();
  return seen;
}

std::vector<std::string> two_cases() {
  return {event_line({{"type", "run_started"}, {"run", "r"}, {"rounds", 1}}),
          event_line(
              {{"type", "unit_planned"},
               {"unit", "u"},
               {"cases", boost::json::array{boost::json::object{{"case", "A"}}, boost::json::object{{"case", "B"}}}}})};
}

std::vector<std::string> two_cases_one_running() {
  std::vector<std::string> lines = two_cases();
  lines.push_back(event_line({{"type", "unit_started"}, {"unit", "u"}}));
  lines.push_back(event_line({{"type", "case_started"}, {"unit", "u"}, {"case", "A"}, {"round", 1}}));
  return lines;
}

std::string unit_finished(const char* outcome, const char* message) {
  return event_line({{"type", "unit_finished"}, {"unit", "u"}, {"outcome", outcome}, {"message", message}});
}

TEST(RunFollower, WhatIsOpenWhenAWorkerDiesIsTheRigs) {
  std::vector<std::string> lines = two_cases_one_running();
  lines.push_back(unit_finished("died", "signal 9 (Killed)"));
  EXPECT_THAT(verdicts(lines), ElementsAre("A error/rig the unit was lost while this case ran: signal 9 (Killed)",
                                           "B error/rig the unit was lost before this case began: signal 9 (Killed)"));
}

TEST(RunFollower, WhatIsOpenWhenTheUserInterruptsWasNotRun) {
  std::vector<std::string> lines = two_cases_one_running();
  lines.push_back(unit_finished("interrupted", "by SIGINT"));
  EXPECT_THAT(verdicts(lines), ElementsAre("A error/not-run broken off while it ran: by SIGINT",
                                           "B error/not-run did not run: by SIGINT"));
}

TEST(RunFollower, WhatIsOpenInALogThatWasCutOffIsToldSo) {
  EXPECT_THAT(verdicts(two_cases_one_running()),
              ElementsAre("A error/rig the run was cut off while this case ran",
                          "B error/not-run the run was cut off before this case began"));
  EXPECT_THAT(verdicts(two_cases()), ElementsAre("A error/not-run the run was cut off before this case began",
                                                 "B error/not-run the run was cut off before this case began"));
}

TEST(RunFollower, EventsThatContradictThePlanAreErrors) {
  const struct {
    boost::json::object event;
    const char* why;
  } bad[] = {
      {{{"type", "case_started"}, {"unit", "v"}, {"case", "A"}, {"round", 1}}, "was not planned"},
      {{{"type", "case_started"}, {"unit", "u"}, {"case", "C"}, {"round", 1}}, "was not planned"},
      {{{"type", "case_started"}, {"unit", "u"}, {"case", "A"}, {"round", 2}}, "the run has 1"},
      {{{"type", "case_finished"}, {"unit", "u"}, {"case", "A"}, {"round", 1}, {"verdict", "maybe"}}, "no verdict"},
      {{{"type", "unit_planned"}, {"unit", "u"}}, "twice"},
      {{{"type", "run_started"}}, "second run"},
  };
  for (const auto& [event, why] : bad) {
    std::vector<std::string> lines = two_cases();
    lines.push_back(event_line(event));
    EXPECT_THAT(verdicts(lines), ElementsAre(HasSubstr(why)));
  }
}

TEST(RunFollower, UnknownTypesAreSkipped) {
  std::vector<std::string> lines = two_cases();
  lines.push_back(event_line({{"type", "news"}, {"unit", "u"}}));
  EXPECT_EQ(verdicts(lines).size(), 2U);
}

TEST(RunFollower, ALogThatClaimsTooMuchIsRefused) {
  EXPECT_THAT(verdicts({event_line({{"type", "run_started"}, {"run", "r"}, {"rounds", 1'000'000'000'000}})}),
              ElementsAre(HasSubstr("rounds are more than")));
}

TEST(RunFollower, EvidenceIsToldInOneReadableLine) {
  std::vector<std::string> lines;
  RunFollower follower(RunFollower::Keep::evidence, [&](const CaseOutcome& outcome) {
    lines.insert(lines.end(), outcome.evidence_lines.begin(), outcome.evidence_lines.end());
  });
  for (const std::string& line : sample_run()) ASSERT_TRUE(follower.follow(parse_event(line).value()));
  EXPECT_EQ(lines.at(0), "#1 2026-01-31T10:00:00.123Z endpoint ClientHello, connection 3: server_name \"abc.iot\"");
  EXPECT_EQ(lines.at(1),
            "#2 2026-01-31T10:00:00.123Z console console_line, connection 3: \"ctl \\x1b[31m ]]> & <b> \\x01 end\"");
}

TEST(EvidenceText, TellsWhatAClientHelloOffersByAlpn) {
  const auto text = [](boost::json::array offered, const char* listener) {
    const boost::json::object data{{"server_name_extensions", 0}, {"alpn", std::move(offered)}, {"listener", listener}};
    return evidence_line({.type = "evidence", .members = {{"number", 1}, {"kind", "client_hello"}, {"data", data}}});
  };
  EXPECT_THAT(text({"mqtt", "h2"}, "mqtt"), HasSubstr("no server_name extension, ALPN mqtt, h2"));
  EXPECT_THAT(text({}, "alpn"), HasSubstr("no server_name extension, no ALPN"));
  EXPECT_THAT(text({}, "mqtt"), testing::EndsWith("no server_name extension"));
}

class ExitStatus : public testing::Test {
 protected:
  TemporaryFolder folder_ = TemporaryFolder::make().value();
  int of(const std::vector<std::pair<const char*, const char*>>& verdicts_of_cases, bool strict = false) {
    boost::json::array cases;
    for (const auto& [id, verdict] : verdicts_of_cases)
      cases.push_back(boost::json::object{{"case", id}, {"area", "a"}});
    std::vector<std::string> lines{
        event_line({{"type", "run_started"}, {"run", "r"}, {"rounds", 1}, {"strict", strict}}),
        event_line({{"type", "unit_planned"}, {"unit", "u"}, {"cases", cases}})};
    for (const auto& [id, verdict] : verdicts_of_cases) {
      lines.push_back(
          event_line({{"type", "case_finished"}, {"unit", "u"}, {"case", id}, {"round", 1}, {"verdict", verdict}}));
    }
    lines.push_back(unit_finished("done", ""));
    write_lines(folder_.path() / "e.jsonl", lines);
    return exit_status(overview_of(folder_.path() / "e.jsonl").value());
  }
};

TEST_F(ExitStatus, FollowsTheVerdicts) {
  EXPECT_EQ(of({{"A", "pass"}}), 0);
  EXPECT_EQ(of({{"A", "pass"}, {"B", "skip"}}), 0);
  EXPECT_EQ(of({{"A", "skip"}}), 3) << "nothing was judged";
  EXPECT_EQ(of({{"A", "pass"}, {"B", "error"}}), 3);
  EXPECT_EQ(of({{"A", "pass"}, {"B", "inconclusive"}}), 3);
  EXPECT_EQ(of({{"A", "fail"}, {"B", "error"}}), 1) << "1 wins over 3";
  EXPECT_EQ(of({{"A", "warn"}}), 0);
  EXPECT_EQ(of({{"A", "warn"}}, true), 1);
}

}  // namespace
}  // namespace hilmark::reports
