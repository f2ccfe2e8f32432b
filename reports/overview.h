// The first pass over one or several logs: what runs and units there were, and how their cases ended, in numbers.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "harness/base/error.h"
#include "reports/run_follower.h"

namespace hilmark::reports {

struct Tally {
  Counts counts;
  std::int64_t duration_ms = 0;
  std::int64_t waited_ms = 0;
  std::uint64_t not_run = 0;  ///< of the errors
  void add(const CaseOutcome& outcome);
};

struct UnitOverview {
  const UnitStory* story = nullptr;
  Tally tally;
  std::vector<std::string> areas;  ///< in the order of the plan
  std::map<std::string, Tally> by_area;
};

struct RunOverview {
  std::filesystem::path path;
  std::uint64_t bytes = 0;                ///< of the log, that were read: for a second pass
  std::unique_ptr<RunFollower> follower;  ///< owns the stories
  std::vector<UnitOverview> units;
  Tally tally;
  [[nodiscard]] const RunStory& run() const { return follower->run(); }
  [[nodiscard]] bool any_virtual() const;
};

/// Errors (usage): the log cannot be read, or contradicts itself.
[[nodiscard]] Result<RunOverview> overview_of(const std::filesystem::path& events);

/// The exit status that a run's verdicts demand (architecture.md), an interruption aside: 0, 1 or 3.
[[nodiscard]] int exit_status(const RunOverview& overview);

/// The command that runs one case on one unit again, as far as its verdict hangs on options.
[[nodiscard]] std::string repeat_command(const RunStory& run, const CaseOutcome& outcome);

}  // namespace hilmark::reports
