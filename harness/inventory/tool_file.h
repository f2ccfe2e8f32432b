// Reads tool files: how a program of somebody else's flashes boards.
#pragma once

#include <filesystem>

#include "drivers/tool/tool_config.h"
#include "harness/base/error.h"
#include "harness/inventory/board_folders.h"
#include "harness/inventory/facts.h"

namespace hilmark {

/// Without name and arguments, which are the board's. Errors (usage): all faults, one a line, "file:line:column:
/// expected …; got …".
[[nodiscard]] Result<ToolConfig> read_tool_file(const std::filesystem::path& path);

/// The chip's flasher, or the board's over it, with its tool's file read and held against `board`. `board_path` is for
/// messages. Errors (usage): as those of read_tool_file; no such tool; it wants other arguments; a board behind a probe
/// that names no tool; one that keeps its identity, by a tool that erases the chip.
[[nodiscard]] Result<FlasherFacts> whole_flasher(const BoardFacts& board, const std::filesystem::path& board_path,
                                                 const ChipFacts& chip, const std::filesystem::path& chip_path,
                                                 const BoardFolders& folders,
                                                 const std::map<std::string, std::string>& lab_arguments);

}  // namespace hilmark
