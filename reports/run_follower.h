// Follows a run through its events and tells each case's end, those included that never came to one.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/json/object.hpp>

#include "harness/base/error.h"
#include "reports/event_log.h"
#include "reports/verdict.h"

namespace hilmark::reports {

/// `run_started` and `run_finished`.
struct RunStory {
  std::string id, version, catalogue, lab, host, started, finished;
  std::vector<std::string> command;
  std::int64_t seed = 0;
  std::int64_t rounds = 1;
  bool strict = false;     ///< a warning counts as a failure
  bool long_time = false;  ///< cases might take hours
  std::string outcome;     ///< empty: the log was cut off
  std::optional<std::int64_t> exit;
};

/// A case as `unit_planned` lists it.
struct PlannedCase {
  std::string id, area, level, title, demand, source, opportunity, file;
  std::vector<std::string> needs, defects, depends_on;
  std::int64_t line = 0;
  std::optional<std::string> skip;  ///< why it does not run on this unit
};

/// A unit, as far as its events have told.
struct UnitStory {
  std::string id, kind, board, chip, serial, port, firmware;
  bool is_virtual = false;
  std::vector<std::string> capabilities;
  boost::json::object limits;
  std::vector<PlannedCase> cases;
  std::string build_id, variant, certificate;  ///< from `unit_ready`
  std::string started;                         ///< time; empty: never
  std::string outcome, message;                ///< from `unit_finished`; empty: none came
};

/// How a case ended on a unit in a round. Valid while the sink runs.
struct CaseOutcome {
  const UnitStory* unit = nullptr;
  const PlannedCase* planned = nullptr;
  std::int64_t round = 0;  ///< 0: left out by the plan, so of no round
  Verdict verdict = Verdict::error;
  std::string error_type, message, blocked_by;
  std::string opportunity;  ///< what was awaited
  bool opportunity_seen = false;
  std::vector<std::uint64_t> evidence;      ///< numbers on which the verdict rests
  std::vector<std::string> evidence_lines;  ///< the same for people; only where the follower keeps evidence
  std::vector<std::string> notes;
  std::int64_t duration_ms = 0;
  std::int64_t waited_ms = 0;  ///< of it, what claim and unit made it wait
  std::string time;
};

class RunFollower {
 public:
  using Sink = std::function<void(const CaseOutcome&)>;
  enum class Keep { verdicts, evidence };
  /// A unit's newest pieces of evidence are kept as text for the verdicts to come, at most this many.
  static constexpr std::size_t max_evidence = 4000;

  RunFollower(Keep keep, Sink sink) : keep_(keep), sink_(std::move(sink)) {}

  /// Errors (usage): the event contradicts those before it.
  [[nodiscard]] Result<void> follow(const Event& event);
  /// No more events come: what is open now never ended.
  void end();

  [[nodiscard]] const RunStory& run() const { return run_; }
  [[nodiscard]] std::vector<const UnitStory*> units() const;
  /// The case that runs on `unit` now; null if none does.
  [[nodiscard]] const PlannedCase* running_on(const std::string& unit) const;

 private:
  struct Piece {
    std::uint64_t number = 0;
    std::string line;
  };
  struct Follow {
    UnitStory story;
    std::map<std::string, std::size_t> index;  // case id -> place in story.cases
    std::vector<bool> finished;                // a place for each round and case
    std::optional<std::size_t> running;        // place in `finished`
    std::deque<Piece> evidence;
    bool closed = false;
  };

  Result<void> run_started(const Event& event);
  Result<void> unit_planned(const Event& event);
  Result<void> case_started(Follow& follow, const Event& event);
  Result<void> case_finished(Follow& follow, const Event& event);
  Result<std::size_t> place_of(const Follow& follow, const Event& event) const;
  void evidence(Follow& follow, const Event& event) const;
  void close(Follow& follow);
  void tell_open(const Follow& follow, std::size_t place);

  Keep keep_;
  Sink sink_;
  RunStory run_;
  std::vector<std::unique_ptr<Follow>> follows_;
  std::map<std::string, Follow*> by_unit_;
};

/// Follows a whole file, or its first `max_bytes`; returns how many octets were read.
[[nodiscard]] Result<std::uint64_t> follow_file(const std::filesystem::path& path, RunFollower& follower,
                                                std::uint64_t max_bytes = std::numeric_limits<std::uint64_t>::max());

}  // namespace hilmark::reports
