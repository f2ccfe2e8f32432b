// Any program of the user's as the device: its environment tells it where to connect and as whom.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "drivers/unit/unit.h"
#include "harness/base/evidence.h"

namespace hilmark {

struct ProcessUnitConfig {
  UnitInfo info;
  std::vector<std::string> command;      ///< as in the lab file: program and arguments
  std::filesystem::path working_folder;  ///< empty: the rig's
  std::filesystem::path files;           ///< exists and outlives the unit; keys and certificates are put here
  std::string topic;                     ///< HILMARK_TOPIC
  Milliseconds stop_grace{1000};         ///< from SIGTERM to SIGKILL
};

/// The program runs from `start` or `connect` on, as soon as it knows its endpoint; from then on install, set_endpoint
/// and reset start it anew. Its output is evidence "console"/"console_line". Errors: usage (there is no such program).
[[nodiscard]] Result<std::unique_ptr<Unit>> make_process_unit(ProcessUnitConfig config, const Clock& clock,
                                                              EvidenceLog& evidence);

}  // namespace hilmark
