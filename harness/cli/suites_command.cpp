// hilmark suites
#include <CLI/CLI.hpp>
#include <boost/json/serialize.hpp>

#include "harness/cli/commands.h"
#include "harness/plan/plan_text.h"

namespace hilmark::cli {

void add_suites(CLI::App& app, Context& context) {
  struct Arguments {
    bool json = false;
    bool markdown = false;
  };
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("suites", "Say what a device is judged on, and by which source");
  CLI::Option* json = command->add_flag("--json", arguments->json, "For scripts");
  command->add_flag("--markdown", arguments->markdown, "As tables")->excludes(json);
  command->footer("Examples:\n  hilmark suites\n  hilmark suites --json | jq -r '.cases[].id'");
  command->callback([arguments, &context] {
    context.chosen = [arguments]() -> Result<int> {
      const auto& catalogue = suites::catalogue();
      if (arguments->json) {
        fmt::print("{}\n", boost::json::serialize(catalogue_json(catalogue)));
      } else {
        fmt::print("{}", arguments->markdown ? catalogue_markdown(catalogue) : catalogue_text(catalogue));
      }
      return 0;
    };
  });
}

}  // namespace hilmark::cli
