// hilmark boards
#include <CLI/CLI.hpp>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value_from.hpp>
#include <unistd.h>

#include "harness/base/bytes.h"
#include "harness/cli/commands.h"
#include "harness/inventory/bench.h"
#include "harness/inventory/board_file.h"
#include "harness/inventory/scan.h"

namespace hilmark::cli {
namespace {

/// The board's own, else its chip's.
Result<FlasherFacts> flasher_of(const BoardFacts& board, const BoardFolders& folders) {
  if (board.flasher) return *board.flasher;
  const auto path = folders.chip(board.chip);
  if (!path) return fail(path.error());
  const auto chip = read_chip_file(*path);
  if (!chip) return fail(chip.error());
  return chip->flasher;
}

Result<int> list_boards(bool json) {
  const BoardFolders folders = BoardFolders::of_environment();
  boost::json::array boards;
  if (!json) fmt::print("{:20} {:12} {:10} {}\n", "BOARD", "CHIP", "FLASHED BY", "FILE");
  for (const std::string& name : folders.boards()) {
    const auto path = folders.board(name);
    if (!path) return fail(path.error());
    const auto board = read_board_file(*path);
    if (!board) return fail(board.error());
    const auto flasher = flasher_of(*board, folders);
    if (!flasher) return fail(flasher.error(), "{}", path->string());
    boards.push_back(boost::json::object{
        {"board", name}, {"chip", board->chip}, {"flasher", flasher->by()}, {"file", path->string()}});
    if (!json) fmt::print("{:20} {:12} {:10} {}\n", name, board->chip, flasher->by(), path->string());
  }
  if (json) fmt::print("{}\n", boost::json::serialize(boost::json::object{{"version", 1}, {"boards", boards}}));
  return 0;
}

Result<int> check_files(const std::vector<std::string>& files, bool json) {
  const BoardFolders folders = BoardFolders::of_environment();
  boost::json::array results;
  bool all_valid = true;
  bool all_readable = true;
  for (const std::string& file : files) {
    all_readable = all_readable && ::access(file.c_str(), R_OK) == 0;
    const auto checked = check_file(file, folders);
    all_valid = all_valid && checked;
    results.push_back(boost::json::object{
        {"file", file}, {"valid", checked.has_value()}, {"faults", checked ? "" : checked.error().message}});
    if (!checked) fmt::print(stderr, "{}\n", printable(checked.error().message));
    if (!json && checked) fmt::print("{}: valid\n", file);
  }
  if (json) fmt::print("{}\n", boost::json::serialize(boost::json::object{{"version", 1}, {"files", results}}));
  if (!all_readable) return 2;
  return all_valid ? 0 : 1;
}

Result<int> scan(bool json) {
  const auto usb = UsbContext::make();
  if (!usb) return fail(usb.error());
  const auto devices = scan_devices(**usb, BoardFolders::of_environment());
  if (!devices) return fail(devices.error());
  boost::json::array list;
  for (const ScannedDevice& seen : *devices) {
    const UsbPlugged& device = seen.device;
    list.push_back(boost::json::object{{"port", device.port},
                                       {"id", to_text(device.id)},
                                       {"serial", printable(device.serial)},
                                       {"state", name_of(seen.state)},
                                       {"boards", boost::json::value_from(seen.boards)},
                                       {"trouble", printable(seen.trouble)},
                                       {"holder", printable(seen.holder)}});
    if (json) continue;
    fmt::print("{:10} {} {:16} {:12} {}\n", device.port, to_text(device.id),
               device.serial.empty() ? "-" : printable(device.serial), name_of(seen.state),
               seen.boards.empty() ? "no board file names these ids" : fmt::format("{}", fmt::join(seen.boards, ", ")));
    if (!seen.trouble.empty()) fmt::print("{:10} {}\n", "", printable(seen.trouble));
    if (!seen.holder.empty()) fmt::print("{:10} held by {}\n", "", printable(seen.holder));
  }
  if (json) fmt::print("{}\n", boost::json::serialize(boost::json::object{{"version", 1}, {"devices", list}}));
  if (!json && devices->empty()) fmt::print(stderr, "nothing is plugged in\n");
  return 0;
}

constexpr const char* rules_file = "/etc/udev/rules.d/60-hilmark.rules";

Result<int> udev(bool install, const std::filesystem::path& file) {
  const auto rules = udev_rules(BoardFolders::of_environment());
  if (!rules) return fail(rules.error());
  if (!install) {
    fmt::print("{}", *rules);
    return 0;
  }
  if (const auto written = write_file(file, *rules, 0644); !written) {
    return fail(ErrorKind::usage, "{}; run it as root, or write it yourself: hilmark boards udev | sudo tee {}",
                written.error().message, file.string());
  }
  fmt::print(stderr, "{} is written. For what is plugged in already: udevadm control --reload && udevadm trigger\n",
             file.string());
  return 0;
}

}  // namespace

void add_boards(CLI::App& app, Context& context) {
  struct Arguments {
    std::vector<std::string> files;
    std::filesystem::path rules = rules_file;
    bool json = false;
    bool install = false;
  };
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand(
      "boards", "Boards that are known and plugged in; check lab, board, chip, command and tool files");
  command->require_subcommand(0, 1);
  command->add_flag("--json", arguments->json, "For scripts");
  command->footer(
      "Examples:\n  hilmark boards\n  hilmark boards scan\n  hilmark boards check lab.yaml my_board.yaml\n"
      "  sudo hilmark boards udev --install\n\n"
      "Board files are looked for in the folders of HILMARK_BOARDS, in ./boards, and beside the program.");
  CLI::App* list = command->add_subcommand("list", "Say which boards there are (what `hilmark boards` does)");
  list->add_flag("--json", arguments->json, "For scripts");
  CLI::App* check = command->add_subcommand(
      "check",
      "Say with file, line and remedy what is wrong; exit status 1 if something is, 2 if a file cannot be read");
  check->add_option("FILE", arguments->files, "Lab, board, chip, command or tool files")->required();
  check->add_flag("--json", arguments->json, "For scripts");
  check->callback([arguments, &context] {
    context.chosen = [arguments] { return check_files(arguments->files, arguments->json); };
  });
  CLI::App* scanning = command->add_subcommand(
      "scan",
      "Say what is plugged in: port, ids, serial number, state, which board it may be, and what keeps us from it");
  scanning->add_flag("--json", arguments->json, "For scripts");
  scanning->callback([arguments, &context] { context.chosen = [arguments] { return scan(arguments->json); }; });
  CLI::App* permissions = command->add_subcommand(
      "udev", "Print the udev rules that let everybody at the console use these boards; --install writes them");
  permissions->add_flag("--install", arguments->install, "Write them");
  permissions->add_option("--file", arguments->rules, "Where to")->type_name("FILE")->capture_default_str();
  permissions->callback(
      [arguments, &context] { context.chosen = [arguments] { return udev(arguments->install, arguments->rules); }; });
  command->callback([arguments, &context] {
    if (!context.chosen) context.chosen = [arguments] { return list_boards(arguments->json); };
  });
}

}  // namespace hilmark::cli
