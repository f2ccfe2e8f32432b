// Proves the suite on golden units and on seeded defects.
#pragma once

#include <filesystem>

#include "harness/conductor/conductor.h"

namespace hilmark::selfcheck {

struct Options {
  std::vector<std::filesystem::path>
      labs;        ///< their units together; the first says what accounts and regions there are
  RunOptions run;  ///< jobs, seed, folder; lab and selection are not looked at
  std::filesystem::path defects = "suites/defects.yaml";
  bool quick = false;                             ///< only cases that list a defect and what they depend on
  bool json = false;                              ///< on stdout, instead of text
  std::optional<std::filesystem::path> markdown;  ///< written besides
};

/// Runs batch after batch, each with its reports in a folder of its own below the run's, and says what was seen on
/// stdout: 0; 1: a defect was missed or somebody blamed without reason; 3: the rig failed; 128 + signal. Errors: usage.
[[nodiscard]] Result<int> selfcheck(const Options& options, const ConductorParts& parts);

}  // namespace hilmark::selfcheck
