// summary.json: a run's verdicts for scripts, from events alone.
#pragma once

#include <filesystem>

#include "harness/base/error.h"
#include "reports/text_output.h"

namespace hilmark::reports {

/// {"version": 1, "run", "cases": [{unit, case, round, verdict, …}], "units": [{…, counts}], "counts", "outcome",
/// "exit"}. `exit` is null where the log was cut off. Errors (usage): the log cannot be read, or contradicts itself:
/// file and line. What cannot be written is told by output.finish().
[[nodiscard]] Result<void> write_summary(const std::filesystem::path& events, TextOutput& output);

}  // namespace hilmark::reports
