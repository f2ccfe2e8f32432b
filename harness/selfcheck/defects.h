// The seeded defects, as suites/defects.yaml lists them.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "harness/base/error.h"

namespace hilmark::selfcheck {

struct SeededDefect {
  std::string name;
  std::string unit;  ///< the process unit that has it with `--defect NAME`; empty: it is an image
  std::map<std::string, std::string> also;  ///< cases that fail on it without listing it, and why that is right
};

/// In the order of their names. Errors (usage): all faults, each with file and line.
[[nodiscard]] Result<std::vector<SeededDefect>> read_defects(const std::filesystem::path& path);

}  // namespace hilmark::selfcheck
