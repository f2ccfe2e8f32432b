// report.html: one self-contained page of a run, from events alone.
#pragma once

#include <filesystem>

#include "harness/base/error.h"
#include "reports/text_output.h"

namespace hilmark::reports {

[[nodiscard]] Result<void> write_html(const std::filesystem::path& events, TextOutput& output);

}  // namespace hilmark::reports
