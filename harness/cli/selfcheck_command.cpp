// hilmark selfcheck
#include <CLI/CLI.hpp>

#include "harness/cli/commands.h"
#include "harness/selfcheck/selfcheck.h"

namespace hilmark::cli {

void add_selfcheck(CLI::App& app, Context& context) {
  struct Arguments {
    selfcheck::Options options;
    std::string out, markdown;
    std::int64_t seed = -1;
  };
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command =
      app.add_subcommand("selfcheck", "Prove the suite on golden units and on units with a seeded defect each");
  selfcheck::Options& options = arguments->options;
  command->add_option("--lab", options.labs, "A lab file with golden units (again for more)")
      ->required()
      ->type_name("FILE")
      ->allow_extra_args(false);
  command->add_option("--defects", options.defects, "The list of seeded defects [suites/defects.yaml]")
      ->type_name("FILE");
  command->add_flag("--quick", options.quick,
                    "Each defect on one unit only, and only cases that list it and what they depend on");
  command->add_option("--jobs", options.run.jobs, "Units judged at a time [all]")->check(CLI::Range(1, 1000));
  command->add_option("--out", arguments->out, "Folder of the reports, one below it for each batch [out/selfcheck]")
      ->type_name("DIR");
  command->add_option("--seed", arguments->seed, "Of all randomness [random, and logged]")
      ->check(CLI::NonNegativeNumber);
  command->add_flag("--json", options.json, "On stdout, for scripts, instead of text");
  command->add_option("--markdown", arguments->markdown, "Write the tables of docs/detection.md to this file, too")
      ->type_name("FILE");
  command->footer(
      "Ends with 0 where every defect was caught by a case that lists it and nobody was blamed without reason, with 1\n"
      "where one was missed or somebody was, with 3 where the rig failed.\n\n"
      "Examples:\n"
      "  hilmark selfcheck --lab lab.yaml           the whole suite on golden units and on every defect\n"
      "  hilmark selfcheck --lab lab.yaml --quick   what must catch each, alone");
  command->callback([arguments, &context] {
    context.chosen = [arguments, &context]() -> Result<int> {
      selfcheck::Options& chosen = arguments->options;
      chosen.run.command = context.command;
      if (!arguments->out.empty()) chosen.run.out = arguments->out;
      if (!arguments->markdown.empty()) chosen.markdown = arguments->markdown;
      if (arguments->seed >= 0) chosen.run.seed = arguments->seed;
      return selfcheck::selfcheck(chosen, conductor_parts());
    };
  });
}

}  // namespace hilmark::cli
