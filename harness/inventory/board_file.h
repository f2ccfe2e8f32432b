// Reads board and chip files.
#pragma once

#include <filesystem>

#include "harness/base/error.h"
#include "harness/inventory/facts.h"

namespace hilmark {

class YamlMapping;

/// Errors (usage): all faults, one a line, "file:line:column: expected …; got …".
[[nodiscard]] Result<BoardFacts> read_board_file(const std::filesystem::path& path);
[[nodiscard]] Result<ChipFacts> read_chip_file(const std::filesystem::path& path);

/// What board and lab files have in common.
[[nodiscard]] TimingFacts read_timing(YamlMapping& parent);
[[nodiscard]] std::vector<std::string> read_capabilities(YamlMapping& parent);

}  // namespace hilmark
