// hilmark report
#include <CLI/CLI.hpp>

#include "harness/cli/commands.h"
#include "reports/html.h"
#include "reports/junit.h"
#include "reports/validate.h"

namespace hilmark::cli {
namespace {

struct Arguments {
  std::vector<std::filesystem::path> files;
  std::string output;
};

template <class Write>
Result<int> write_to(const std::string& path, Write&& write) {
  auto output =
      path.empty() ? Result<reports::TextOutput>(reports::TextOutput::to_stdout()) : reports::TextOutput::to_file(path);
  if (!output) return fail(output.error());
  if (auto written = write(*output); !written) return fail(written.error());
  if (auto finished = output->finish(); !finished) return fail(finished.error());
  return 0;
}

Result<int> validate(const std::vector<std::filesystem::path>& files) {
  bool all_valid = true;
  for (const std::filesystem::path& file : files) {
    const auto faults = reports::faults_of(file);
    if (!faults) return fail(faults.error());
    for (const std::string& fault : *faults) fmt::print(stderr, "{}: {}\n", file.string(), fault);
    if (faults->empty()) fmt::print("{}: valid\n", file.string());
    all_valid = all_valid && faults->empty();
  }
  return all_valid ? 0 : 1;
}

}  // namespace

void add_report(CLI::App& app, Context& context) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("report", "Make reports again from a run's events.jsonl");
  command->require_subcommand(1);
  command->footer(
      "Examples:\n"
      "  hilmark report junit out/latest/events.jsonl --output junit.xml    also after a kill at any instant\n"
      "  hilmark report junit night-1.jsonl night-2.jsonl                   several runs in one file\n"
      "  hilmark report validate out/latest/junit.xml");
  const auto add_output = [&](CLI::App* report) {
    report->add_option("--output", arguments->output, "Where to write it [stdout]")->type_name("FILE");
  };
  CLI::App* junit = command->add_subcommand("junit", "JUnit XML");
  junit->add_option("EVENTS", arguments->files, "Evidence logs")->required();
  add_output(junit);
  junit->callback([arguments, &context] {
    context.chosen = [arguments] {
      return write_to(arguments->output,
                      [&](reports::TextOutput& output) { return reports::write_junit(arguments->files, output); });
    };
  });
  CLI::App* html = command->add_subcommand("html", "One self-contained page");
  html->add_option("EVENTS", arguments->files, "An evidence log")->required()->expected(1);
  add_output(html);
  html->callback([arguments, &context] {
    context.chosen = [arguments] {
      return write_to(arguments->output,
                      [&](reports::TextOutput& output) { return reports::write_html(arguments->files.at(0), output); });
    };
  });
  CLI::App* check = command->add_subcommand(
      "validate", "Say what is wrong with JUnit files and evidence logs; exit status 1 if something is");
  check->add_option("FILE", arguments->files, "JUnit files, or evidence logs (.jsonl)")->required();
  check->callback([arguments, &context] { context.chosen = [arguments] { return validate(arguments->files); }; });
}

}  // namespace hilmark::cli
