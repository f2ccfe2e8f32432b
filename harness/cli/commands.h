// The subcommands: each adds itself to the command line and, when chosen, sets what is to be done.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <CLI/App.hpp>

#include "harness/base/error.h"
#include "harness/conductor/conductor.h"

namespace hilmark::cli {

/// What main() shares with the commands.
struct Context {
  std::vector<std::string> command;     ///< argv
  std::function<Result<int>()> chosen;  ///< the exit status; an error's kind decides it else
};

void add_run(CLI::App& app, Context& context);
void add_selfcheck(CLI::App& app, Context& context);
void add_suites(CLI::App& app, Context& context);
void add_boards(CLI::App& app, Context& context);
void add_flash(CLI::App& app, Context& context);
void add_provision(CLI::App& app, Context& context);
void add_cloud(CLI::App& app, Context& context);
void add_report(CLI::App& app, Context& context);

/// `--wait [TIME]`, for units that others hold. `wait`, which must outlive the command line, stays 0 without it.
void add_wait_option(CLI::App& command, Milliseconds& wait);

/// With the built-in catalogue, and this program for its workers.
[[nodiscard]] ConductorParts conductor_parts();

/// The exit status of architecture.md for what went wrong.
[[nodiscard]] int exit_status(const Error& error);

}  // namespace hilmark::cli
