// virtual-lab: virtual USB boards under unmodified libusb programs. See README.md.

#include <algorithm>
#include <cstdio>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "boards/virtual/command_runner.h"
#include "boards/virtual/lab.h"
#include "boards/virtual/redir/redir_bus.h"
#include "boards/virtual/temporary_root.h"

namespace {

using namespace virtual_lab;
namespace fs = std::filesystem;

constexpr int own_trouble = 125;
constexpr int refused = 1;

int trouble(const std::string& text) {
  fmt::print(stderr, "virtual-lab: {}\n", text);
  return own_trouble;
}

struct Options {
  std::string lab_file;
  std::string state;
  std::string log_file;
  std::string redir;
  std::vector<std::string> command;  // after "--"
};

fs::path own_folder() {
  std::error_code ignored;
  return fs::read_symlink("/proc/self/exe", ignored).parent_path();
}

// umockdev's library, and before it ours that mends it, which lies beside this program.
Result<std::string> preload_libraries(const fs::path& folder) {
  const std::string shim = (folder / "libvirtual-usb-shim.so").string();
  if (!fs::exists(shim)) return failure(fmt::format("{} is missing; it is built with this program", shim));
  if (shim.find_first_of(": ") != std::string::npos) {
    return failure(fmt::format("{}: LD_PRELOAD takes no path with a blank or a colon in it", shim));
  }
  return shim + ":libumockdev-preload.so.0";
}

int run_lab(const Options& options) {
  if (std::getenv("UMOCKDEV_DIR") != nullptr) return trouble("this is a lab already; labs do not nest");
  // With --redir it is a guest's kernel that sees the boards, and COMMAND does not.
  const auto preload = options.redir.empty() ? preload_libraries(own_folder()) : std::string();
  if (!preload) return trouble(preload.error());
  auto units = read_lab_file(options.lab_file, {"boards", own_folder().parent_path() / "boards"});
  if (!units) return trouble(units.error());
  auto hubs = read_lab_hubs(options.lab_file);
  if (!hubs) return trouble(hubs.error());

  // Signals first: a second Ctrl-C must not cut the way out short.
  const SignalsAsEvents signals;
  ::signal(SIGPIPE, SIG_IGN);
  const auto root = TemporaryRoot::make();
  if (!root) return trouble(root.error());
  EventLoop loop;
  LabSettings settings{
      .units = std::move(*units), .hubs = std::move(*hubs), .root = root->path(), .state = {}, .log_file = {}};
  if (!options.state.empty()) settings.state = fs::absolute(options.state);
  settings.log_file = options.log_file.empty() ? root->path() / "lab.log" : fs::path(options.log_file);
  std::optional<RedirBus> guest_bus;
  if (!options.redir.empty()) settings.bus = &guest_bus.emplace(loop, options.redir, settings.log_file);
  const auto lab = Lab::open(loop, settings);
  if (!lab) return trouble(lab.error());
  for (const std::string& warning : (*lab)->warnings()) fmt::print(stderr, "virtual-lab: {}\n", warning);

  const auto command = CommandRunner::start(loop, signals, {options.command, root->path(), *preload});
  if (!command) return trouble(command.error());
  loop.run_until([&] { return (*command)->exit_status().has_value(); });
  return (*command)->exit_status().value_or(own_trouble);
}

int run_control(const std::vector<std::string>& words) {
  const char* root = std::getenv("UMOCKDEV_DIR");
  if (root == nullptr) return trouble("no lab here; run this inside \"virtual-lab --lab FILE -- COMMAND\"");
  const ControlAnswer answer = ask_lab(root, fmt::format("{}", fmt::join(words, " ")));
  if (!answer.reached_lab) return trouble(answer.text);
  if (!answer.ok) {
    fmt::print(stderr, "virtual-lab: {}\n", answer.text);
    return refused;
  }
  if (!answer.text.empty()) fmt::print("{}\n", answer.text);
  return 0;
}

int parse_and_run(int argc, char** argv) {
  Options options;
  std::vector<std::string> control_words;
  CLI::App app(
      "Virtual USB boards under unmodified libusb programs.\n"
      "Usage: virtual-lab --lab FILE [--state DIR] [--log FILE] [--redir DIR] -- COMMAND...\n"
      "       virtual-lab ctl boot-pin PORT on|off | power PORT on|off | plug PORT | unplug PORT |\n"
      "                       reset PORT | faults PORT [FAULT...] | status PORT | list   (inside the lab)");
  app.add_option("--lab", options.lab_file, "the lab file; its units with a virtual: block become boards");
  app.add_option("--state", options.state, "keep each board's flash in this folder; else it is fresh and empty");
  app.add_option("--log", options.log_file, "append what boards and firmware log to this file");
  app.add_option("--redir", options.redir,
                 "serve each board to QEMU's usb-redir at DIR/PORT.sock; COMMAND itself does not see them");
  CLI::App* control = app.add_subcommand("ctl", "the bench's hands, from the shell inside the lab");
  control->add_option("words", control_words, "a command of boards/wire.md, \"The virtual lab\"")->required();

  char** const end = argv + argc;
  char** const separator = std::find(argv, end, std::string_view("--"));
  try {
    app.parse(static_cast<int>(separator - argv), argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : own_trouble;
  }
  if (*control) return run_control(control_words);
  if (separator != end) options.command.assign(separator + 1, end);
  if (options.lab_file.empty()) return trouble("--lab FILE is missing; see virtual-lab --help");
  if (options.command.empty()) return trouble("-- COMMAND is missing; see virtual-lab --help");
  return run_lab(options);
}

}  // namespace

int main(int argc, char** argv) try { return parse_and_run(argc, argv); } catch (const std::exception& error) {
  return trouble(error.what());
}
