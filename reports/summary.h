// summary.json: a run's verdicts for scripts, from events alone.
#pragma once

#include <filesystem>

#include "harness/base/error.h"
#include "reports/text_output.h"

namespace hilmark::reports {

/// {"version": 1, "run", "cases": [{unit, case, round, verdict, …}], "units": [{…, counts}], "counts", "outcome",
/// "exit"}. `exit` is null where the log was cut off.
[[nodiscard]] Result<void> write_summary(const std::filesystem::path& events, TextOutput& output);

}  // namespace hilmark::reports
