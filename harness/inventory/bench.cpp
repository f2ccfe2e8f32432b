#include "harness/inventory/bench.h"

#include <algorithm>

#include "drivers/unit/command_needs.h"
#include "harness/base/bytes.h"
#include "harness/inventory/board_file.h"
#include "harness/inventory/lab_file.h"
#include "harness/inventory/tool_file.h"
#include "harness/inventory/yaml_document.h"

namespace hilmark {
namespace {

/// The lab file's word wins over the board's.
TimingFacts layered(const TimingFacts& board, const TimingFacts& lab) {
  const auto pick = [](const auto& lower, const auto& upper) { return upper ? upper : lower; };
  return {.boot_ms = pick(board.boot_ms, lab.boot_ms),
          .connect_ms = pick(board.connect_ms, lab.connect_ms),
          .reconnect_max_ms = pick(board.reconnect_max_ms, lab.reconnect_max_ms),
          .handshake_ms = pick(board.handshake_ms, lab.handshake_ms),
          .endpoint_command_ms = pick(board.endpoint_command_ms, lab.endpoint_command_ms),
          .watch_ms = pick(board.watch_ms, lab.watch_ms),
          .dns_ttl_ms = pick(board.dns_ttl_ms, lab.dns_ttl_ms),
          .storm_window_ms = pick(board.storm_window_ms, lab.storm_window_ms),
          .soak_ms = pick(board.soak_ms, lab.soak_ms),
          .keep_alive_s = pick(board.keep_alive_s, lab.keep_alive_s)};
}

/// `where`: begins the message of an error that is not of one file alone.
Result<BenchUnit> bench_unit(const LabUnit& lab_unit, const std::string& where, const std::filesystem::path& lab,
                             const BoardFolders& folders) {
  BenchUnit unit;
  unit.id = lab_unit.id;
  unit.kind = lab_unit.kind;
  unit.port = lab_unit.port;
  unit.serial = lab_unit.serial;
  unit.power = lab_unit.power;
  unit.rig_addresses = lab_unit.rig_addresses;
  unit.timing = lab_unit.timing;
  if (unit.kind == "process") {
    unit.command = lab_unit.command;
    if (unit.command[0].find('/') != std::string::npos) unit.command[0] = path_from_lab(unit.command[0], lab);
    unit.board = std::filesystem::path(unit.command[0]).filename().string();
    unit.capabilities = lab_unit.capabilities.value_or(std::vector<std::string>());
    return unit;
  }
  const auto board_path = folders.board(lab_unit.board);
  if (!board_path) return fail(board_path.error(), "{}", where);
  const auto board = read_board_file(*board_path);
  if (!board) return fail(board.error());
  const auto chip_path = folders.chip(board->chip);
  if (!chip_path) return fail(chip_path.error(), "{}:{}", board_path->string(), board->chip_line);
  const auto chip = read_chip_file(*chip_path);
  if (!chip) return fail(chip.error());
  const auto commands = folders.commands(board->console.commands);
  if (!commands) return fail(commands.error(), "{}:{}", board_path->string(), board->console.line);
  const auto command_set = CommandSet::load(*commands);
  if (!command_set) return fail(command_set.error(), "{}", board_path->string());
  unit.board = lab_unit.board;
  unit.chip = board->chip;
  unit.capabilities = lab_unit.capabilities.value_or(board->capabilities);
  // The board may be able to lose its power; whether the rig can cut it is the bench's.
  if (!unit.power.can_cut()) std::erase(unit.capabilities, "power");
  const auto said = check_verbs(*command_set, unit.info().capabilities, !board->settings.empty());
  if (!said) return fail(said.error(), "{}: {}", where, commands->string());
  unit.timing = layered(board->timing, lab_unit.timing);
  auto flasher = whole_flasher(*board, *board_path, *chip, *chip_path, folders, lab_unit.tool_arguments);
  if (!flasher) return fail(flasher.error(), "{}", where);
  unit.flasher = std::move(*flasher);
  const bool probe_resets = !board->states.probe.empty() && !unit.flasher.tool.start.command.empty();
  if (unit.can(Capability::reset) && !command_set->has("reset") && !unit.power.can_cut() && !probe_resets) {
    return fail(ErrorKind::usage,
                "{}: capability reset needs the verb `reset` in {}, or `power` in the lab file; add one, or drop the "
                "capability",
                where, commands->string());
  }
  unit.image = chip->image;
  unit.states = board->states;
  unit.console = board->console;
  if (!lab_unit.console_address.empty()) unit.console.config.address = lab_unit.console_address;
  if (!lab_unit.console_command.empty()) unit.console.config.command = lab_unit.console_command;
  if (const auto console = check(unit.console.config); !console) {
    return fail(console.error(), "{}: its console", where);
  }
  unit.commands_file = commands->string();
  unit.settings = board->settings;
  if (!lab_unit.firmware.empty()) unit.firmware = path_from_lab(lab_unit.firmware, lab);
  return unit;
}

}  // namespace

bool BenchUnit::can(Capability capability) const {
  return std::find(capabilities.begin(), capabilities.end(), name_of(capability)) != capabilities.end();
}

Timing BenchUnit::limits() const {
  Timing limits;
  const auto set = [](Milliseconds& limit, const std::optional<std::int64_t>& said) {
    if (said) limit = Milliseconds(*said);
  };
  set(limits.boot, timing.boot_ms);
  set(limits.connect, timing.connect_ms);
  set(limits.reconnect_max, timing.reconnect_max_ms);
  set(limits.handshake, timing.handshake_ms);
  set(limits.endpoint_command, timing.endpoint_command_ms);
  set(limits.watch, timing.watch_ms);
  set(limits.dns_ttl, timing.dns_ttl_ms);
  set(limits.storm_window, timing.storm_window_ms);
  set(limits.soak, timing.soak_ms);
  limits.keep_alive_s = static_cast<int>(timing.keep_alive_s.value_or(limits.keep_alive_s));
  return limits;
}

UnitInfo BenchUnit::info() const {
  UnitInfo info;
  info.id = id;
  info.kind = kind == "usb" ? UnitKind::usb : kind == "virtual" ? UnitKind::virtual_board : UnitKind::process;
  info.board = board;
  info.chip = chip;
  info.serial = serial;
  info.port = port;
  for (const std::string& name : capabilities) {
    if (const auto capability = capability_from(name)) info.capabilities.insert(*capability);
  }
  info.timing = limits();
  return info;
}

std::string path_from_lab(const std::string& path, const std::filesystem::path& lab) {
  std::error_code ignored;
  const std::filesystem::path from_lab = lab.parent_path() / path;
  return !std::filesystem::exists(path, ignored) && std::filesystem::exists(from_lab, ignored) ? from_lab.string()
                                                                                               : path;
}

Result<Bench> read_bench(const std::filesystem::path& lab, const BoardFolders& folders) {
  const auto facts = read_lab_file(lab);
  if (!facts) return fail(facts.error());
  Bench bench{.lab = lab, .accounts = facts->accounts, .regions = facts->regions, .units = {}};
  for (const LabUnit& lab_unit : facts->units) {
    const std::string where = fmt::format("{}:{}: unit {}", lab.string(), lab_unit.line, lab_unit.id);
    auto unit = bench_unit(lab_unit, where, lab, folders);
    if (!unit) return fail(unit.error());
    bench.units.push_back(std::move(*unit));
  }
  return bench;
}

Result<BenchUnit> read_plugged_unit(const std::string& board, const std::string& port, const BoardFolders& folders) {
  LabUnit unit;
  unit.id = board;
  unit.kind = "usb";
  unit.board = board;
  unit.port = port;
  return bench_unit(unit, fmt::format("board {} without a lab file", board), {}, folders);
}

Result<void> find_virtual_unit(BenchUnit& unit, const std::filesystem::path& lab,
                               const std::optional<std::vector<VirtualBoard>>& boards) {
  if (!boards) {
    return fail(ErrorKind::usage,
                "unit {} is virtual, and there is no virtual lab around this command; start it as: virtual-lab --lab "
                "{} -- hilmark …",
                unit.id, lab.string());
  }
  const auto board =
      std::find_if(boards->begin(), boards->end(), [&](const VirtualBoard& entry) { return entry.unit == unit.id; });
  if (board == boards->end() || board->port != unit.port || board->serial != unit.serial || board->chip != unit.chip) {
    return fail(ErrorKind::usage,
                "the virtual lab around this command has no board {} with port {}, serial {} and chip {}; was it "
                "started with --lab {}?",
                unit.id, unit.port, unit.serial, unit.chip, lab.string());
  }
  unit.namespace_pid = board->namespace_pid;
  return {};
}

Result<void> check_file(const std::filesystem::path& path, const BoardFolders& folders) {
  const auto node = detail::load_yaml(path);
  if (!node) return fail(node.error());
  const auto has = [&](const char* key) { return node->IsMap() && (*node)[key].IsDefined(); };
  if (has("units") || has("cloud")) return read_bench(path, folders).map([](const Bench&) {});
  if (!has("chip") && (has("flasher") || has("image"))) return read_chip_file(path).map([](const ChipFacts&) {});
  if (has("commands")) return CommandSet::load(path).map([](const CommandSet&) {});
  if (has("write") || has("install")) return read_tool_file(path).map([](const ToolConfig&) {});
  if (!has("chip") && !has("states")) {
    return fail(ErrorKind::usage,
                "{}:1:1: expected a lab file (`units`), a board file (`chip`), a chip file (`flasher`), a command file "
                "(`commands`) or a tool file (`write`); got none of them",
                path.string());
  }
  const auto board = read_board_file(path);
  if (!board) return fail(board.error());
  Capabilities capabilities;
  for (const std::string& name : board->capabilities) capabilities.insert(*capability_from(name));
  const auto chip_path = folders.chip(board->chip);
  if (!chip_path) return fail(chip_path.error(), "{}:{}", path.string(), board->chip_line);
  const auto chip = read_chip_file(*chip_path);
  if (!chip) return fail(chip.error());
  if (const auto flasher = whole_flasher(*board, path, *chip, *chip_path, folders, {}); !flasher) {
    return fail(flasher.error());
  }
  const auto commands = folders.commands(board->console.commands);
  if (!commands) return fail(commands.error(), "{}:{}", path.string(), board->console.line);
  return CommandSet::load(*commands)
      .and_then([&](const CommandSet& set) { return check_verbs(set, capabilities, !board->settings.empty()); })
      .map_error([&](const Error& error) { return error.with_context(path.string()); });
}

}  // namespace hilmark
