// The end of a run: its last event, its reports, its exit status.
#pragma once

#include <functional>
#include <optional>
#include <string_view>

#include "harness/conductor/preflight.h"
#include "harness/conductor/run_log.h"
#include "harness/conductor/run_progress.h"

namespace hilmark {

struct RunEnd {
  const PreparedRun& run;
  int stopped_by_signal = 0;
  bool deadline_came = false;
  std::optional<Error> trouble;  ///< the log could not be written
  RunProgress::Look look;
};

/// Returns the exit status. Errors: rig (a report cannot be written).
[[nodiscard]] Result<int> finish_run(const RunEnd& end, RunLog& log, const std::function<void(std::string_view)>& line);

}  // namespace hilmark
