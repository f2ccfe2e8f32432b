// hilmark run
#include <CLI/CLI.hpp>
#include <boost/json/serialize.hpp>

#include "drivers/unit/unit_lock.h"
#include "harness/cli/commands.h"
#include "harness/conductor/conductor.h"
#include "harness/conductor/run_options.h"
#include "harness/inventory/board_folders.h"
#include "harness/plan/plan_text.h"

namespace hilmark::cli {
namespace {

struct Arguments {
  RunOptions run;
  std::string out;
  std::string deadline;
  std::int64_t seed = -1;
  bool list = false;
  bool json = false;
};

Result<int> list_plan(const Arguments& arguments) {
  const auto bench = read_bench(arguments.run.lab, BoardFolders::of_environment());
  if (!bench) return fail(bench.error());
  const auto plan = make_plan(*bench, suites::catalogue(), arguments.run.selection);
  if (!plan) return fail(plan.error());
  fmt::print("{}{}", arguments.json ? boost::json::serialize(plan_json(*plan)) : plan_text(*plan),
             arguments.json ? "\n" : "");
  return 0;
}

Result<int> run(Arguments arguments, const Context& context) {
  if (arguments.json && !arguments.list)
    return fail(ErrorKind::usage, "--json says how --list answers; a run's summary.json is in its folder");
  if (arguments.list) return list_plan(arguments);
  RunOptions& options = arguments.run;
  options.command = context.command;
  if (!arguments.out.empty()) options.out = arguments.out;
  if (arguments.seed >= 0) options.seed = arguments.seed;
  if (!arguments.deadline.empty()) {
    const auto deadline = parse_duration(arguments.deadline);
    if (!deadline) return fail(deadline.error(), "--deadline");
    options.deadline = *deadline;
  }
  return conduct(options, conductor_parts());
}

}  // namespace

ConductorParts conductor_parts() {
  // By its path, so that lists of processes name it; where the file was replaced meanwhile, by what runs.
  std::error_code error;
  const std::string self = std::filesystem::read_symlink("/proc/self/exe", error).string();
  const std::string program = !error && std::filesystem::exists(self, error) ? self : "/proc/self/exe";
  return {.catalogue = suites::catalogue(), .worker_command = {program, "worker"}, .version = HILMARK_VERSION};
}

void add_wait_option(CLI::App& command, Milliseconds& wait) {
  const auto take = [&wait](const std::string& text) {
    if (text.empty()) {  // no time was given
      wait = LockWait::for_ever;
      return;
    }
    const auto limit = parse_duration(text);
    if (!limit) throw CLI::ValidationError("--wait", limit.error().message + "; put --wait after it, or give a time");
    wait = *limit;
  };
  command
      .add_option_function<std::string>("--wait", take,
                                        "Wait for units that others hold, all in all this time [until they are free]")
      ->expected(0, 1)
      ->type_name("[TIME]");
}

void add_run(CLI::App& app, Context& context) {
  static constexpr std::int64_t max_rounds = 100'000;
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("run", "Judge the units of a lab and write the reports");
  RunOptions& options = arguments->run;
  command->add_option("--lab", options.lab, "The lab file: what is on the bench")->required()->type_name("FILE");
  command->add_option("--unit", options.selection.units, "Only this unit (again for more)")
      ->type_name("ID")
      ->allow_extra_args(false);
  command->add_option("--area", options.selection.areas, "Only cases of this area (again for more)")
      ->type_name("NAME")
      ->allow_extra_args(false);
  command
      ->add_option("--case", options.selection.cases,
                   "Only cases that match (again for more); with --area both must hold")
      ->type_name("GLOB")
      ->allow_extra_args(false);
  command->add_flag("--list", arguments->list, "Say what would run, and what would be skipped and why; touch nothing");
  command->add_flag("--json", arguments->json, "With --list: for scripts, on stdout alone");
  command->add_option("--out", arguments->out, "Folder of the reports [out/<time>-<id>, and out/latest links to it]")
      ->type_name("DIR");
  command
      ->add_option("--firmware", options.firmware,
                   "Image to flash instead of the lab file's, on one unit or on all of its chip")
      ->type_name("[UNIT=]IMAGE")
      ->allow_extra_args(false);
  command->add_flag("--shard", options.selection.shard,
                    "Of several units of one type let each case that takes long waits run on one alone");
  command->add_option("--jobs", options.jobs, "Units judged at a time [all]")->check(CLI::Range(1, 1000));
  command->add_option("--repeat", options.rounds, "Rounds of all cases")
      ->check(CLI::Range(std::int64_t{1}, max_rounds));
  command->add_flag("--long", options.long_time, "Let cases take hours where their claim is about hours");
  command->add_option("--deadline", arguments->deadline, "End the whole run after this time: 90s, 15m, 2h")
      ->type_name("TIME");
  command->add_flag("--strict", options.strict, "A warning counts as a failure");
  command->add_option("--seed", arguments->seed, "Of all randomness [random, and logged]")
      ->check(CLI::NonNegativeNumber);
  add_wait_option(*command, options.wait);
  command->footer(
      "Examples:\n"
      "  hilmark run --lab lab.yaml                                 all units, all cases they can run\n"
      "  hilmark run --lab lab.yaml --list                          what that would be\n"
      "  hilmark run --lab lab.yaml --area sni --case '*-0[1-3]'    areas and cases intersect\n"
      "  hilmark run --lab lab.yaml --firmware bench-1=new.img      judge another image on one unit\n"
      "  hilmark run --lab lab.yaml --repeat 20 --deadline 8h       all night\n"
      "\n"
      "Reports: DIR/junit.xml, summary.json, report.html, events.jsonl (all the evidence), units/<id>/worker.log.");
  command->callback(
      [arguments, &context] { context.chosen = [arguments, &context] { return run(*arguments, context); }; });
}

}  // namespace hilmark::cli
