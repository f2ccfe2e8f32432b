#include "harness/conductor/fake_worker_testing.h"

#include <csignal>
#include <cstdlib>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/base/bytes.h"
#include "harness/base/child_process.h"
#include "harness/conductor/worker.h"

namespace hilmark::testing_support {
namespace {

using Sink = WorkerProgram::Sink;

/// Behaves as its unit's id says: "good", "failing", "dies-in-two", "lost-in-two", "slow", "refuses", "babbles",
/// "leaves-…".
class FakeProgram final : public WorkerProgram {
 public:
  Result<void> prepare(const WorkerOrders& orders, const World& world) override {
    orders_ = orders;
    if (name() == "refuses") return fail(ErrorKind::usage, "port 8883 is taken");
    if (name() == "leaves-a-child") {
      // Not a child of ours that dies with us: one that would stay if nobody ended it.
      auto child =
          ChildProcess::start({.command = {"sh", "-c", "setsid sleep 1000 & echo $!"}, .die_with_parent = false});
      EXPECT_TRUE(child);
    }
    return {};
  }

  Result<void> run(const Sink& sink, const std::function<bool()>& stop) override {
    for (std::int64_t round = 1; round <= orders_.rounds; ++round) {
      for (const std::string& id : orders_.cases) {
        if (stop()) return {};
        sink({{"type", "case_started"}, {"case", id}, {"round", round}});
        sink({{"type", "evidence"},
              {"number", ++evidence_},
              {"source", "rig"},
              {"kind", "note"},
              {"connection", 0},
              {"data", {{"what", id}}}});
        if (auto acted = act(id, stop); !acted) return acted;
        const bool failed = name() == "failing" && id == "two";
        sink({{"type", "case_finished"},
              {"case", id},
              {"round", round},
              {"verdict", failed ? "fail" : "pass"},
              {"message", failed ? "it said no" : ""},
              {"duration_ms", 1},
              {"evidence", boost::json::array{evidence_}}});
      }
    }
    return {};
  }

 private:
  [[nodiscard]] const std::string& name() const { return orders_.unit.id; }

  Result<void> act(const std::string& id, const std::function<bool()>& stop) const {
    if (id != "two") return {};
    if (name() == "dies-in-two") {
      fmt::print(stderr, "assertion of our own failed\n");
      std::fflush(stderr);
      ::kill(::getpid(), SIGKILL);
    }
    if (name() == "lost-in-two") return fail(ErrorKind::rig, "virtual-1 at port 1-1 was unplugged");
    if (name() == "babbles") (void)!::write(worker_events_fd, "this is no JSON\n", 16);
    if (name() == "deaf") ::pause();
    // Runs on for as long as it takes the test to end it: the signal stays pending for stop().
    while (name() == "slow" && !stop()) {
      sigset_t signals;
      sigemptyset(&signals);
      sigaddset(&signals, SIGUSR1);
      const timespec moment{.tv_sec = 0, .tv_nsec = 10'000'000};
      (void)::sigtimedwait(&signals, nullptr, &moment);
    }
    return {};
  }

  WorkerOrders orders_;
  std::int64_t evidence_ = 0;
};

suites::Case fake_case(const char* id, Capability need) {
  suites::Case test_case;
  test_case.id = id;
  test_case.area = "fake";
  test_case.title = id;
  test_case.demand = "that it passes";
  test_case.source = "H1";
  test_case.needs = {need};
  return test_case;
}

}  // namespace

const std::vector<suites::Case>& fake_catalogue() {
  static const std::vector<suites::Case> catalogue{
      fake_case("one", Capability::reset), fake_case("two", Capability::reset), fake_case("three", Capability::reset),
      fake_case("four", Capability::power)};
  return catalogue;
}

std::filesystem::path fake_lab(const std::filesystem::path& folder, const std::vector<std::string>& units) {
  std::string text =
      "version: 1\ncloud: {accounts: [\"111111111111\", \"222222222222\"], regions: [us-east-1]}\nunits:\n";
  for (const std::string& unit : units)
    text += "  - {id: " + unit + ", kind: process, command: [/bin/true], capabilities: [reset]}\n";
  EXPECT_TRUE(write_file(folder / "lab.yaml", text));
  return folder / "lab.yaml";
}

Result<int> conduct_fakes(const std::filesystem::path& folder, RunOptions options) {
  if (options.lab.empty()) options.lab = folder / "lab.yaml";
  if (!options.out) options.out = folder / "out";
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> terminal(std::fopen((folder / "terminal").c_str(), "we"),
                                                           std::fclose);
  return conduct(options, {.catalogue = fake_catalogue(),
                           .worker_command = {"/proc/self/exe", "worker"},
                           .version = "test",
                           .terminal = terminal.get()});
}

}  // namespace hilmark::testing_support

int main(int argument_count, char** arguments) {
  if (hilmark::is_worker(argument_count, arguments)) {
    hilmark::testing_support::FakeProgram program;
    return hilmark::worker_main(program);
  }
  testing::InitGoogleTest(&argument_count, arguments);
  return RUN_ALL_TESTS();
}
