// Reads lab files.
#pragma once

#include <filesystem>

#include "harness/base/error.h"
#include "harness/inventory/facts.h"

namespace hilmark {

/// Errors (usage): all faults, one a line, "file:line:column: expected …; got …".
[[nodiscard]] Result<LabFacts> read_lab_file(const std::filesystem::path& path);

}  // namespace hilmark
