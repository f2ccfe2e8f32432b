#include "suites/runner.h"

#include <algorithm>
#include <map>
#include <set>

#include <boost/json/array.hpp>
#include <gtest/gtest.h>

#include "suites/bench.h"
#include "suites/case.h"
#include "suites/unit_world.h"
#include "suites/wall_clock_watch.h"

namespace hilmark::suites {
namespace {

namespace json = boost::json;

const std::string control_of_all = "LIFE-06";

json::array numbers_of(const std::vector<EvidencePtr>& evidence) {
  std::set<std::uint64_t> numbers;
  for (const EvidencePtr& piece : evidence) numbers.insert(piece->number);
  json::array list;
  for (const std::uint64_t number : numbers) list.emplace_back(number);
  return list;
}

/// One unit's session: what GoogleTest's tests share.
class Session {
 public:
  Session(Bench& bench, EvidenceLog& evidence, const Clock& clock, const EventSink& sink,
          const std::function<bool()>& stop)
      : bench_(bench), evidence_(evidence), clock_(clock), sink_(sink), stop_(stop), wall_clock_(clock) {}

  void run(const Case& test_case, int round) {
    if (lost_ || stop_()) return;  // What is planned and never finishes is reported as not run.
    begin_round(round);
    evidence_.forget(evidence_.newest());
    bench_.begin_case();
    sink_({{"type", "case_started"}, {"case", test_case.id}, {"round", round}});
    const SteadyTime started = clock_.now();
    const std::string blocker = blocked_by(test_case);
    if (blocker.empty()) {
      if (not_ready_ && !can_run_unready(test_case)) {
        bench_.findings().inconclusive = not_ready_->message;
      } else {
        act(test_case);
        // It was broken off, and is not judged.
        if (bench_.findings().rig_trouble && stop_()) return;
      }
      finish(test_case, round, started, judge(bench_.findings(), test_case.opportunity, test_case.level), "");
    } else {
      finish(test_case, round, started, {Verdict::skip, "blocked by " + blocker}, blocker);
    }
  }

  /// The unit was flashed, and then could not be brought to life or be provisioned: no case can be judged.
  /// `runs`: its firmware does, so that what comes before its provisioning can be judged.
  void not_ready(Error why, bool runs) {
    not_ready_ = std::move(why);
    runs_ = runs;
  }
  /// A connection was seen before the first case.
  void has_come() { has_come_ = true; }
  void add_failure(std::string text) { bench_.findings().failures.push_back(std::move(text)); }
  /// The unit is gone from the bench, so nothing more can be judged.
  [[nodiscard]] const std::optional<Error>& lost() const { return lost_; }

 private:
  void begin_round(int round) {
    if (round == round_) return;
    round_ = round;
    unproven_.clear();
    never_came_ = false;
  }

  [[nodiscard]] bool can_run_unready(const Case& test_case) const {
    return runs_ && test_case.start == Case::Start::unprovisioned;
  }

  [[nodiscard]] std::string blocked_by(const Case& test_case) const {
    // A unit that could not be made ready, or never came, is told once, by the control of all others.
    const bool needs_life =
        (not_ready_ && !can_run_unready(test_case)) || (never_came_ && test_case.start != Case::Start::unprovisioned);
    if (needs_life && unproven_.count(control_of_all) > 0) return control_of_all;
    const auto found = std::find_if(test_case.depends_on.begin(), test_case.depends_on.end(),
                                    [&](const std::string& id) { return unproven_.count(id) > 0; });
    return found == test_case.depends_on.end() ? "" : unproven_.at(*found);
  }

  /// Prepares the world and runs the body; how it ended is in the findings.
  void act(const Case& test_case) {
    Findings& findings = bench_.findings();
    try {
      if (test_case.start == Case::Start::served) {
        bench_.bring_to_served();
      } else {
        bench_.lay_out_home();
      }
      test_case.body(bench_);
    } catch (const RigTrouble& trouble) {
      findings.rig_trouble = trouble.what();
    } catch (const Inconclusive& silence) {
      findings.inconclusive = silence.what();
    } catch (const ClaimFailed& failure) {
      findings.failures.emplace_back(failure.what());
    } catch (const NotApplicable& reason) {
      findings.not_applicable = reason.what();
    } catch (const std::exception& error) {
      findings.rig_trouble = fmt::format("an error of the rig's own: {}", error.what());
    }
    if (!findings.rig_trouble) {
      if (const auto trouble = bench_.cloud().trouble()) findings.rig_trouble = trouble->message;
    }
    tell_of_ended_program();
    if (!findings.failures.empty() || findings.inconclusive) findings.unsound = trouble_of_rig();
  }

  /// A program that ended by itself is not started again before its next reset, so that this may be why nothing came.
  void tell_of_ended_program() {
    const auto ends = bench_.all([](const Evidence& piece) { return piece.kind == "process_ended"; }, 0);
    if (ends.empty()) return;
    Findings& findings = bench_.findings();
    const std::string told =
        fmt::format("its program ended by itself: {} (evidence #{})", ends.back()->text("status"), ends.back()->number);
    if (findings.inconclusive) {
      *findings.inconclusive += "; " + told;
    } else if (findings.rig_trouble || findings.not_applicable) {
      return;
    } else if (findings.opportunity == nullptr || !findings.failures.empty()) {
      findings.failures.push_back(told);
    }
  }

  /// Asked before anything is said against the unit: endpoint, broker and name server serve the rig's own client at
  /// this moment, and the machine's clock, by which certificates are made and judged, went on as it should.
  std::optional<std::string> trouble_of_rig() {
    if (auto trouble = wall_clock_.trouble()) return trouble;
    try {
      bench_.lay_out_home();
      bench_.prove_endpoint_healthy();
    } catch (const RigTrouble& trouble) {
      return trouble.what();
    }
    return std::nullopt;
  }

  void finish(const Case& test_case, int round, SteadyTime started, const Judgement& judgement,
              const std::string& blocker) {
    const Findings& findings = bench_.findings();
    if (judgement.verdict == Verdict::fail || judgement.verdict == Verdict::inconclusive) {
      unproven_[test_case.id] = test_case.id;
    } else if (!blocker.empty()) {
      unproven_[test_case.id] = blocker;
    }
    if (test_case.id == control_of_all) {
      has_come_ = has_come_ || !bench_.seen("tcp_accepted", 0).empty();
      never_came_ = !has_come_;
    }
    json::value error_type;
    if (judgement.verdict == Verdict::error) error_type = "rig";
    if (judgement.verdict == Verdict::inconclusive) error_type = "inconclusive";
    json::object opportunity{{"what", test_case.opportunity}, {"seen", findings.opportunity != nullptr}};
    if (findings.opportunity) opportunity["evidence"] = findings.opportunity->number;
    json::array notes;
    for (const std::string& note : findings.notes) notes.emplace_back(note);
    const auto duration = std::chrono::duration_cast<Milliseconds>(clock_.now() - started);
    sink_({{"type", "case_finished"},
           {"case", test_case.id},
           {"round", round},
           {"verdict", name_of(judgement.verdict)},
           {"message", judgement.message},
           {"opportunity", std::move(opportunity)},
           {"evidence", numbers_of(findings.evidence)},
           {"blocked_by", blocker.empty() ? json::value() : json::value(blocker)},
           {"error_type", std::move(error_type)},
           {"duration_ms", duration.count()},
           {"waited_ms", std::min(bench_.waited(), duration).count()},
           {"notes", std::move(notes)}});
    if (judgement.verdict == Verdict::error) {
      if (const auto present = bench_.check_present(); !present) lost_ = present.error();
    }
  }

  Bench& bench_;
  EvidenceLog& evidence_;
  const Clock& clock_;
  const EventSink& sink_;
  const std::function<bool()>& stop_;
  WallClockWatch wall_clock_;
  int round_ = 0;
  /// Failed, inconclusive or blocked in this round, and the case at its root: what depends on them is blocked by that.
  std::map<std::string, std::string> unproven_;
  bool has_come_ = false;    ///< a connection was seen, be it before the first case
  bool never_came_ = false;  ///< in the control of all others, and before it, not one connection was seen
  std::optional<Error> lost_;
  std::optional<Error> not_ready_;
  bool runs_ = false;  ///< though it is not ready
};

class CaseTest : public testing::Test {
 public:
  CaseTest(Session& session, const Case& test_case, int round) : session_(session), case_(test_case), round_(round) {}
  void TestBody() override { session_.run(case_, round_); }

 private:
  Session& session_;
  const Case& case_;
  int round_;
};

/// Takes GoogleTest's failures as findings; its own printer is silent here, since reports are made from events.
class FindingsListener : public testing::EmptyTestEventListener {
 public:
  explicit FindingsListener(Session& session) : session_(session) {}
  void OnTestPartResult(const testing::TestPartResult& result) override {
    if (result.failed()) session_.add_failure(finding_of(result.message()));
  }

 private:
  Session& session_;
};

/// Evidence as an event, and the gaps between a unit's attempts.
class EvidenceTap {
 public:
  EvidenceTap(const EventSink& sink, Bench& bench) : sink_(sink), bench_(bench) {}

  void operator()(const EvidencePtr& piece) {
    sink_({{"type", "evidence"},
           {"number", piece->number},
           {"source", piece->source},
           {"kind", piece->kind},
           {"connection", piece->connection},
           {"data", piece->data}});
    if (piece->source != "endpoint" || piece->text("origin") != "unit") {
      if (piece->kind == "reset" || piece->kind == "power_cut" || piece->kind == "set_endpoint") ended_.reset();
      return;
    }
    if (piece->kind == "refused" || piece->kind == "closed" || piece->kind == "handshake_failed") ended_ = piece->at;
    if (piece->kind == "tcp_accepted" && ended_) {
      bench_.saw_gap(*ended_, piece->at);
      ended_.reset();
    }
  }

 private:
  const EventSink& sink_;
  Bench& bench_;
  std::optional<SteadyTime> ended_;
};

void run_tests(Session& session, const RunSettings& settings) {
  int argument_count = 1;
  std::string program = "hilmark";
  char* arguments[] = {program.data(), nullptr};
  testing::InitGoogleTest(&argument_count, arguments);
  testing::TestEventListeners& listeners = testing::UnitTest::GetInstance()->listeners();
  delete listeners.Release(listeners.default_result_printer());
  listeners.Append(new FindingsListener(session));
  for (int round = 1; round <= settings.rounds; ++round) {
    const std::string suite = fmt::format("round_{}", round);
    for (const Case& test_case : catalogue()) {
      const auto& chosen = settings.cases;
      if (std::find(chosen.begin(), chosen.end(), test_case.id) == chosen.end()) continue;
      testing::RegisterTest(
          suite.c_str(), test_case.id.c_str(), nullptr, nullptr, test_case.file, test_case.line,
          [&session, &test_case, round]() -> CaseTest* { return new CaseTest(session, test_case, round); });
    }
  }
  // Its status says what the events say better.
  [[maybe_unused]] const int status = RUN_ALL_TESTS();
}

/// `runs` becomes true once the unit's firmware does.
Result<void> make_ready(Unit& unit, Bench& bench, const RunSettings& settings, const EventSink& sink, bool& runs) {
  const auto progress = [&](std::string_view step, double fraction) {
    sink({{"type", "progress"}, {"step", step}, {"fraction", fraction}});
  };
  if (settings.firmware && unit.info().can(Capability::flash)) {
    if (auto flashed = unit.flash(*settings.firmware, progress); !flashed) {
      return fail(flashed.error(), "flashing {}", unit.info().id);
    }
  } else if (auto started = unit.start(); !started) {
    return fail(started.error(), "starting {}", unit.info().id);
  }
  runs = true;
  progress("provision", 0);
  try {
    bench.provision();
    // Whether it comes at all is seen before its first reset, which would else be a matter of who is faster.
    (void)bench.await_kind("tcp_accepted", 0, bench.connect_limit());
  } catch (const Inconclusive& error) {
    return fail(ErrorKind::unit, "provisioning {}: {}", unit.info().id, error.what());
  } catch (const std::exception& error) {
    return fail(ErrorKind::rig, "provisioning {}: {}", unit.info().id, error.what());
  }
  progress("provision", 1);
  sink({{"type", "unit_ready"},
        {"build_id", settings.firmware ? settings.firmware->build_id : ""},
        {"variant", settings.firmware ? settings.firmware->variant : ""},
        {"certificate", bench.certificate_id()}});
  return {};
}

}  // namespace

Result<void> run_unit(Unit& unit, const RunSettings& settings, EvidenceLog& evidence, const Clock& clock,
                      const EventSink& sink, const std::function<bool()>& stop) {
  const auto world = UnitWorld::start(unit, settings, evidence, clock);
  if (!world) return fail(world.error());
  Bench& bench = (*world)->bench();
  evidence.on_added(EvidenceTap(sink, bench));
  bool runs = false;
  Result<void> outcome = make_ready(unit, bench, settings, sink, runs);
  const bool unit_said_no =
      !outcome && (outcome.error().kind == ErrorKind::unit || outcome.error().kind == ErrorKind::timeout);
  if (outcome || unit_said_no) {
    Session session(bench, evidence, clock, sink, stop);
    if (unit_said_no) session.not_ready(outcome.error(), runs);
    if (!bench.seen("tcp_accepted", 0).empty()) session.has_come();
    run_tests(session, settings);
    outcome = session.lost() ? Result<void>(fail(*session.lost())) : Result<void>();
  }
  evidence.on_added({});
  (*world)->cloud().reset();
  return outcome;
}

}  // namespace hilmark::suites
