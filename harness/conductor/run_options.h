// What the user asks of a run.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "harness/base/clock.h"
#include "harness/base/error.h"
#include "harness/plan/plan.h"

namespace hilmark {

struct RunOptions {
  std::filesystem::path lab;
  Selection selection;
  std::optional<std::filesystem::path> out;  ///< else out/<time>-<id>
  /// "UNIT=IMAGE" for one unit; "IMAGE" for those of the chip that it names, for all where it names none. The later
  /// wins.
  std::vector<std::string> firmware;
  std::int64_t jobs = 0;  ///< workers at a time; 0: all
  std::int64_t rounds = 1;
  bool long_time = false;                ///< cases may take hours
  std::optional<Milliseconds> deadline;  ///< of the whole run
  std::optional<std::int64_t> seed;      ///< else random, and logged
  bool strict = false;                   ///< a warning counts as a failure
  Milliseconds wait{0};                  ///< for units that others hold: all in all; 0: not at all; LockWait::for_ever
  std::vector<std::string> command;      ///< argv, for the reports
  /// Public keys that the lab's units were seen with; else the user's own for this lab.
  std::optional<std::filesystem::path> key_history;
};

/// Below $XDG_STATE_HOME (~/.local/state), a file for each lab file; empty where neither is known.
[[nodiscard]] std::filesystem::path key_history_of(const std::filesystem::path& lab);

/// "90", "90s", "15m", "2h", "500ms". The error (usage) says what is expected.
[[nodiscard]] Result<Milliseconds> parse_duration(const std::string& text);

}  // namespace hilmark
