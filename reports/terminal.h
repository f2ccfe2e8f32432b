// What a person at the terminal is told at a run's end.
#pragma once

#include <filesystem>
#include <functional>
#include <string_view>

#include "harness/base/error.h"

namespace hilmark::reports {

struct TerminalOptions {
  bool colour = false;
  std::size_t max_findings = 40;  ///< the rest is in the other reports
};

/// The claim, message, evidence and command of each case that was not passed, then a line for each unit; the last line
/// counts all verdicts. Each call of `line` is one line without LF. Errors (usage): the log cannot be read, or
/// contradicts itself: file and line.
[[nodiscard]] Result<void> tell_run(const std::filesystem::path& events, const TerminalOptions& options,
                                    const std::function<void(std::string_view)>& line);

}  // namespace hilmark::reports
