#include "harness/conductor/conductor.h"

#include <csignal>

#include <boost/json/parse.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "drivers/unit/unit_lock.h"
#include "harness/base/bytes.h"
#include "harness/base/temporary_folder.h"
#include "harness/conductor/fake_worker_testing.h"
#include "reports/event_log.h"
#include "reports/validate.h"

namespace hilmark {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing_support::conduct_fakes;
using testing_support::fake_lab;

class Conducted : public testing::Test {
 protected:
  TemporaryFolder folder_ = TemporaryFolder::make().value();

  Result<int> run(const std::vector<std::string>& units, RunOptions options = {}) {
    (void)fake_lab(folder_.path(), units);
    return conduct_fakes(folder_.path(), std::move(options));
  }
  [[nodiscard]] std::string text(const std::string& name) const {
    const auto content = read_file(folder_.path() / name);
    return content ? as_text(*content) : "";
  }
  [[nodiscard]] std::vector<reports::Event> events(const std::string& type) const {
    std::vector<reports::Event> found;
    auto reader = reports::EventLogReader::open(folder_.path() / "out/events.jsonl");
    while (reader) {
      auto event = reader->next();
      if (!event || !*event) break;
      if ((*event)->type == type) found.push_back(std::move(**event));
    }
    return found;
  }
  [[nodiscard]] std::map<std::string, std::string> outcomes() const {
    std::map<std::string, std::string> found;
    for (const reports::Event& event : events("unit_finished")) found[event.text("unit")] = event.text("outcome");
    return found;
  }
  void expect_valid_reports() const {
    for (const char* name : {"junit.xml", "events.jsonl"}) {
      const auto faults = reports::faults_of(folder_.path() / "out" / name);
      ASSERT_TRUE(faults) << faults.error().message;
      EXPECT_THAT(*faults, IsEmpty()) << name;
    }
  }
  /// The run in a process of its own, so that it can be signalled; returns its pid once `type` is in its log.
  pid_t run_apart(const std::vector<std::string>& units, RunOptions options, const std::string& type) {
    (void)fake_lab(folder_.path(), units);
    const pid_t child = ::fork();
    if (child == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::setpgid(0, 0);
      const auto status = conduct_fakes(folder_.path(), std::move(options));
      ::_exit(status ? *status : 100);
    }
    const SystemClock clock;
    const Deadline deadline(clock, Milliseconds(20'000));
    while (text("out/events.jsonl").find("\"" + type + "\"") == std::string::npos && !deadline.expired())
      (void)::poll(nullptr, 0, 5);
    EXPECT_FALSE(deadline.expired()) << text("terminal");
    return child;
  }
  static int status_of(pid_t child) {
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
  }
};

TEST_F(Conducted, AGoodRunEndsWith0AndAllReports) {
  const auto status = run({"good", "good-too"});
  ASSERT_TRUE(status) << status.error().message;
  EXPECT_EQ(*status, 0) << text("terminal");
  EXPECT_THAT(
      text("terminal"),
      HasSubstr("\n8 verdicts on 2 units: 6 passed, 0 failed, 0 warnings, 0 inconclusive, 2 skipped, 0 errors\n"));
  expect_valid_reports();
  const auto summary = boost::json::parse(text("out/summary.json"));
  EXPECT_EQ(summary.at("exit").as_int64(), 0);
  EXPECT_THAT(text("out/junit.xml"), HasSubstr("needs power; the unit offers reset"));
  EXPECT_EQ(events("run_started").size(), 1U);
  EXPECT_EQ(events("unit_planned").size(), 2U);
  EXPECT_EQ(events("run_finished").at(0).text("outcome"), "done");
  const reports::Event evidence = events("evidence").at(0);
  EXPECT_EQ(evidence.text("case"), "one");
  EXPECT_EQ(evidence.number("round"), 1);
  EXPECT_FALSE(evidence.flag("virtual"));
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path() / "out/units/good/worker.log"))
      << text("out/units/good/worker.log");
}

TEST_F(Conducted, AFailureEndsWith1EvenIfTheRigFailedToo) {
  EXPECT_EQ(run({"failing", "dies-in-two"}).value(), 1);
  EXPECT_THAT(text("terminal"), AllOf(HasSubstr("fail  two two on failing"), HasSubstr("it said no"),
                                      HasSubstr("claim: that it passes [H1]"), HasSubstr("rig note: what=two"),
                                      HasSubstr("--unit failing --case two")));
}

TEST_F(Conducted, AWorkerThatDiesCostsOneUnitAndLeavesALog) {
  EXPECT_EQ(run({"dies-in-two", "good"}).value(), 3);
  EXPECT_THAT(outcomes(),
              testing::UnorderedElementsAre(testing::Pair("dies-in-two", "died"), testing::Pair("good", "done")));
  EXPECT_THAT(text("out/junit.xml"), AllOf(HasSubstr("signal 9 (Killed)"), HasSubstr("assertion of our own failed"),
                                           HasSubstr("type=\"rig\"")));
  expect_valid_reports();
  // Its lock is free and nothing of it is left, so the unit can be judged again at once.
  EXPECT_EQ(run({"good"}).value(), 0);
  EXPECT_TRUE(UnitLock::acquire(lock_name("", "dies-in-two")));
}

TEST_F(Conducted, AUnitThatIsLostIsToldWithTheReason) {
  EXPECT_EQ(run({"lost-in-two"}).value(), 3);
  EXPECT_THAT(outcomes(), ElementsAre(testing::Pair("lost-in-two", "failed")));
  EXPECT_THAT(text("out/junit.xml"),
              HasSubstr("the unit was lost while this case ran: virtual-1 at port 1-1 was unplugged"));
}

TEST_F(Conducted, AWorkerThatTalksNonsenseIsEnded) {
  EXPECT_EQ(run({"babbles", "good"}).value(), 3);
  EXPECT_THAT(text("out/junit.xml"), HasSubstr("the worker spoke nonsense: this is no JSON"));
  expect_valid_reports();
}

TEST_F(Conducted, WhatAWorkerRefusesEndsTheRunBeforeItBegins) {
  const auto status = run({"good", "refuses"});
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().kind, ErrorKind::usage);
  EXPECT_EQ(status.error().message, "port 8883 is taken");
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "out")) << "nothing is left behind";
  EXPECT_TRUE(UnitLock::acquire(lock_name("", "good"))) << "its worker holds it still";
}

TEST_F(Conducted, AUnitHeldByAnotherIsToldWithItsHolder) {
  const auto lock = UnitLock::acquire(lock_name("", "good"));
  ASSERT_TRUE(lock);
  const auto status = run({"good"});
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().kind, ErrorKind::usage);
  EXPECT_THAT(status.error().message, AllOf(HasSubstr("unit good"), HasSubstr(fmt::format("pid {}", ::getpid()))));
}

TEST_F(Conducted, AUnitHeldByAnotherIsWaitedForWhereThatIsAsked) {
  const auto lock = UnitLock::acquire(lock_name("", "good"));
  ASSERT_TRUE(lock);
  RunOptions options;
  options.wait = Milliseconds{100};
  const auto status = run({"good", "good-too"}, options);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().kind, ErrorKind::usage);
  EXPECT_THAT(status.error().message, AllOf(HasSubstr("unit good"), HasSubstr(fmt::format("pid {}", ::getpid())),
                                            HasSubstr("time for waiting is over")));
  EXPECT_THAT(text("terminal"), HasSubstr(fmt::format("unit good is held by pid {}", ::getpid())));
}

TEST_F(Conducted, TheRunsDeadlineEndsItsWaitingAsARefusal) {
  const auto lock = UnitLock::acquire(lock_name("", "good"));
  ASSERT_TRUE(lock);
  RunOptions options;
  options.wait = LockWait::for_ever;
  options.deadline = Milliseconds{100};
  const auto status = run({"good"}, options);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().kind, ErrorKind::usage);
  EXPECT_THAT(status.error().message, HasSubstr("the run's deadline of 100 ms before the run began"));
}

TEST_F(Conducted, RoundsAndJobsAreAsAsked) {
  RunOptions options;
  options.rounds = 3;
  options.jobs = 1;
  EXPECT_EQ(run({"good", "good-too"}, options).value(), 0);
  EXPECT_EQ(events("case_finished").size(), 2U * 3 * 3);
  std::vector<std::string> order;
  for (const char* type : {"unit_started", "unit_finished"}) {
    for (const reports::Event& event : events(type)) order.push_back(fmt::format("{:06} {}", event.line, type));
  }
  std::sort(order.begin(), order.end());
  EXPECT_THAT(order,
              ElementsAre(HasSubstr("started"), HasSubstr("finished"), HasSubstr("started"), HasSubstr("finished")));
}

TEST_F(Conducted, AnInterruptedRunWritesItsReports) {
  const pid_t child = run_apart({"slow"}, {}, "case_started");
  ::kill(child, SIGINT);
  EXPECT_EQ(status_of(child), 130) << text("terminal");
  EXPECT_EQ(events("run_finished").at(0).text("outcome"), "interrupted");
  EXPECT_THAT(text("out/junit.xml"), AllOf(HasSubstr("type=\"not-run\""), Not(HasSubstr("type=\"rig\""))));
  expect_valid_reports();
}

TEST_F(Conducted, AWorkerThatDoesNotHearIsEndedAfterItsGrace) {
  const pid_t child = run_apart({"deaf"}, {}, "case_started");
  ::kill(child, SIGTERM);
  EXPECT_EQ(status_of(child), 143) << text("terminal");
  EXPECT_THAT(text("out/junit.xml"), HasSubstr("ended by SIGTERM"));
}

TEST_F(Conducted, TheDeadlineEndsTheRunWithWhatWasJudged) {
  RunOptions options;
  options.deadline = Milliseconds(1'000);
  EXPECT_EQ(run({"slow"}, options).value(), 3);
  EXPECT_EQ(events("run_finished").at(0).text("outcome"), "deadline");
  EXPECT_THAT(text("out/junit.xml"), HasSubstr("did not run: ended by the run's deadline of 1000 ms"));
}

TEST_F(Conducted, TheParentsDeathTakesAllWithIt) {
  const pid_t child = run_apart({"slow", "leaves-a-child"}, {}, "case_started");
  const auto worker = static_cast<pid_t>(events("unit_started").at(0).number("pid"));
  ASSERT_EQ(::kill(worker, 0), 0);
  ::kill(child, SIGKILL);
  EXPECT_EQ(status_of(child), 1000 + SIGKILL);
  const SystemClock clock;
  const Deadline deadline(clock, Milliseconds(10'000));
  while (!UnitLock::acquire(lock_name("", "slow")) && !deadline.expired()) (void)::poll(nullptr, 0, 5);
  EXPECT_FALSE(deadline.expired()) << "the worker lives on";
}

TEST_F(Conducted, NothingOfAWorkerIsLeftBehind) {
  EXPECT_EQ(run({"leaves-a-child"}).value(), 0);
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const auto command = read_file(entry.path() / "cmdline");
    if (command) {
      EXPECT_NE(as_text(*command), std::string("sleep\0001000\000", 11)) << entry.path();
    }
  }
}

}  // namespace
}  // namespace hilmark
