// JUnit XML as the tools really read it, from events alone.
#pragma once

#include <filesystem>
#include <vector>

#include "harness/base/error.h"
#include "reports/text_output.h"

namespace hilmark::reports {

/// One testsuite for each unit and area of each log. Two passes; memory does not grow with the number of verdicts.
/// Errors: usage (a log cannot be read, or contradicts itself: file and line), rig (no room for temporary files). What
/// cannot be written is told by output.finish().
[[nodiscard]] Result<void> write_junit(const std::vector<std::filesystem::path>& events, TextOutput& output);

}  // namespace hilmark::reports
