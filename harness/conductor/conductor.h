// Conducts a run: one worker process a unit, all that they say into one log, and reports from that.
#pragma once

#include <cstdio>
#include <string>
#include <vector>

#include "harness/base/clock.h"
#include "harness/base/error.h"
#include "harness/conductor/run_options.h"
#include "suites/case.h"

namespace hilmark {

struct ConductorParts {
  const std::vector<suites::Case>& catalogue;
  std::vector<std::string> worker_command;  ///< this program and "worker"
  std::string version;                      ///< hilmark's
  std::FILE* terminal = stderr;
};

/// Runs, reports, and returns the exit status: 0, 1, 3, or 128 + signal. Errors: usage (2), before any unit was
/// touched. Takes over SIGINT, SIGTERM and SIGHUP of the calling thread, which must be the only one.
[[nodiscard]] Result<int> conduct(const RunOptions& options, const ConductorParts& parts);

}  // namespace hilmark
