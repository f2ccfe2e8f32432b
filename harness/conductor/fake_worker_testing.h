// A worker whose unit is a fake, for tests of the conductor: its name says how it behaves.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "harness/conductor/conductor.h"
#include "suites/case.h"

namespace hilmark::testing_support {

/// "one", "two", "three".
[[nodiscard]] const std::vector<suites::Case>& fake_catalogue();
/// A lab of process units with these ids, written to `folder`.
[[nodiscard]] std::filesystem::path fake_lab(const std::filesystem::path& folder,
                                             const std::vector<std::string>& units);
/// Conducts with the fake workers. What was told on the terminal is in folder/terminal.
[[nodiscard]] Result<int> conduct_fakes(const std::filesystem::path& folder, RunOptions options);

}  // namespace hilmark::testing_support
