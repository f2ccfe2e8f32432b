// Whether a report is what it says to be.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "harness/base/error.h"

namespace hilmark::reports {

/// What is wrong with a JUnit file (counts, order of children, repeated names, …) or an evidence log (`.jsonl`); empty:
/// nothing. Errors (usage): the file cannot be read.
[[nodiscard]] Result<std::vector<std::string>> faults_of(const std::filesystem::path& path);

}  // namespace hilmark::reports
