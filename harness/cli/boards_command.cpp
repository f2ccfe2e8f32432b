// hilmark boards
#include <CLI/CLI.hpp>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include "harness/base/bytes.h"
#include "harness/cli/commands.h"
#include "harness/inventory/bench.h"
#include "harness/inventory/board_file.h"

namespace hilmark::cli {
namespace {

Result<int> list_boards(bool json) {
  const BoardFolders folders = BoardFolders::of_environment();
  boost::json::array boards;
  for (const std::string& name : folders.boards()) {
    const auto path = folders.board(name);
    if (!path) return fail(path.error());
    const auto board = read_board_file(*path);
    if (!board) return fail(board.error());
    boards.push_back(boost::json::object{{"board", name}, {"chip", board->chip}, {"file", path->string()}});
    if (!json) fmt::print("{:24} {:12} {}\n", name, board->chip, path->string());
  }
  if (json) fmt::print("{}\n", boost::json::serialize(boost::json::object{{"version", 1}, {"boards", boards}}));
  return 0;
}

Result<int> check_files(const std::vector<std::string>& files, bool json) {
  const BoardFolders folders = BoardFolders::of_environment();
  boost::json::array results;
  bool all_valid = true;
  for (const std::string& file : files) {
    const auto checked = check_file(file, folders);
    all_valid = all_valid && checked;
    results.push_back(boost::json::object{
        {"file", file}, {"valid", checked.has_value()}, {"faults", checked ? "" : checked.error().message}});
    if (!checked) fmt::print(stderr, "{}\n", printable(checked.error().message));
    if (!json && checked) fmt::print("{}: valid\n", file);
  }
  if (json) fmt::print("{}\n", boost::json::serialize(boost::json::object{{"version", 1}, {"files", results}}));
  return all_valid ? 0 : 1;
}

}  // namespace

void add_boards(CLI::App& app, Context& context) {
  struct Arguments {
    std::vector<std::string> files;
    bool json = false;
  };
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("boards", "Boards that are known; check lab, board and chip files");
  command->require_subcommand(0, 1);
  command->add_flag("--json", arguments->json, "For scripts");
  command->footer(
      "Examples:\n  hilmark boards\n  hilmark boards check lab.yaml my_board.yaml\n\n"
      "Board files are looked for in the folders of HILMARK_BOARDS, in ./boards, and beside the program.");
  CLI::App* list = command->add_subcommand("list", "Say which boards there are (what `hilmark boards` does)");
  list->add_flag("--json", arguments->json, "For scripts");
  CLI::App* check =
      command->add_subcommand("check", "Say with file, line and remedy what is wrong; exit status 1 if something is");
  check->add_option("FILE", arguments->files, "Lab, board or chip files")->required();
  check->add_flag("--json", arguments->json, "For scripts");
  check->callback([arguments, &context] {
    context.chosen = [arguments] { return check_files(arguments->files, arguments->json); };
  });
  command->callback([arguments, &context] {
    if (!context.chosen) context.chosen = [arguments] { return list_boards(arguments->json); };
  });
}

}  // namespace hilmark::cli
