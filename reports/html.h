// report.html: one self-contained page of a run, from events alone.
#pragma once

#include <filesystem>

#include "harness/base/error.h"
#include "reports/text_output.h"

namespace hilmark::reports {

/// Errors: usage (the log cannot be read, or contradicts itself: file and line), rig (no room for temporary files).
/// What cannot be written is told by output.finish().
[[nodiscard]] Result<void> write_html(const std::filesystem::path& events, TextOutput& output);

}  // namespace hilmark::reports
