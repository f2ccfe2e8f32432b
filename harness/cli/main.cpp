// hilmark: the command line. `worker` is looked for first of all, since a worker changes its world before anything
// else.
#include <CLI/CLI.hpp>

#include "harness/base/bytes.h"
#include "harness/cli/commands.h"
#include "harness/conductor/unit_program.h"

namespace hilmark::cli {

int exit_status(const Error& error) {
  static constexpr int interrupted_exit = 130;
  switch (error.kind) {
    case ErrorKind::usage:
      return 2;
    case ErrorKind::unit:
    case ErrorKind::timeout:
    case ErrorKind::refused:
      return 1;
    case ErrorKind::interrupted:
      return interrupted_exit;
    case ErrorKind::rig:
      break;
  }
  return 3;
}

namespace {

int main_of(int argument_count, char** arguments) {
  CLI::App app{
      "hilmark judges connected devices: it flashes them, provisions them, puts an emulated cloud around them and "
      "writes JUnit XML"};
  app.require_subcommand(0, 1);
  app.set_version_flag("--version", HILMARK_VERSION);
  app.footer(
      "Examples:\n"
      "  virtual-lab --lab boards/virtual/lab.yaml -- hilmark run --lab boards/virtual/lab.yaml\n"
      "  hilmark run --lab my_lab.yaml --unit bench-1 --area sni --firmware app.img\n"
      "  hilmark suites --markdown\n"
      "  hilmark boards check my_lab.yaml\n"
      "\n"
      "Exit status: 0 done, and nothing failed; 1 a device failed (or a file is invalid); 2 usage: nothing was "
      "touched;\n"
      "3 not everything could be judged; 130/143 interrupted, reports written all the same.");
  Context context;
  context.command.assign(arguments, arguments + argument_count);
  add_run(app, context);
  add_selfcheck(app, context);
  add_suites(app, context);
  add_boards(app, context);
  add_flash(app, context);
  add_provision(app, context);
  add_cloud(app, context);
  add_report(app, context);
  app.add_subcommand("version", "Say the version")->callback([&] {
    context.chosen = []() -> Result<int> {
      fmt::print("hilmark {}\n", HILMARK_VERSION);
      return 0;
    };
  });
  try {
    app.parse(argument_count, arguments);
  } catch (const CLI::ParseError& error) {
    // Help and version are no errors; all the rest is usage.
    return app.exit(error) == 0 ? 0 : exit_status(Error{ErrorKind::usage, ""});
  }
  if (!context.chosen) {
    fmt::print("{}", app.help());
    return 0;
  }
  const Result<int> status = context.chosen();
  if (status) return *status;
  fmt::print(stderr, "hilmark: {}\n", printable(status.error().message));
  return exit_status(status.error());
}

}  // namespace
}  // namespace hilmark::cli

int main(int argument_count, char** arguments) {
  if (hilmark::is_worker(argument_count, arguments)) return hilmark::worker_main(*hilmark::make_unit_program());
  return hilmark::cli::main_of(argument_count, arguments);
}
