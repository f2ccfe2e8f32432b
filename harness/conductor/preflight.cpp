#include "harness/conductor/preflight.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <iterator>
#include <random>

#include <fmt/chrono.h>

#include "drivers/image/firmware_image.h"
#include "drivers/usb/usb_context.h"
#include "fixtures/cloud/broker/broker_program.h"
#include "harness/base/bytes.h"
#include "harness/base/child_process.h"
#include "harness/base/namespaces.h"
#include "harness/conductor/unit_factory.h"
#include "harness/inventory/near_miss.h"

namespace hilmark {
namespace {

bool is_selected(const BenchUnit& unit, const Selection& selection) {
  return selection.units.empty() ||
         std::find(selection.units.begin(), selection.units.end(), unit.id) != selection.units.end();
}

/// A unit named by its serial number alone stands at a port, which its lock and its driver need.
Result<void> find_ports(Bench& bench, const Selection& selection) {
  std::unique_ptr<UsbContext> usb;
  for (BenchUnit& unit : bench.units) {
    if (unit.kind != "usb" || !unit.port.empty() || !is_selected(unit, selection)) continue;
    if (!usb) {
      auto made = UsbContext::make();
      if (!made) return fail(made.error());
      usb = std::move(*made);
    }
    auto port = find_port(*usb, unit.serial);
    if (!port) return fail(port.error(), "unit {}", unit.id);
    unit.port = *port;
  }
  return {};
}

/// A machine that lost its time makes certificates that no honest device accepts.
Result<void> check_clock(const Clock& clock) {
  // 2026-01-01T00:00:00Z: before there was a hilmark.
  static constexpr std::chrono::seconds earliest{1'767'225'600};
  if (clock.wall() >= WallTime(earliest)) return {};
  return fail(ErrorKind::usage,
              "this machine's clock says {}; set it first, since units judge certificates by the true time",
              iso8601(clock.wall()));
}

std::string run_id(const Clock& clock) {
  std::random_device random;
  const std::time_t now = std::chrono::system_clock::to_time_t(clock.wall());
  return fmt::format("{:%Y%m%d-%H%M%S}-{:04x}", fmt::gmtime(now), random() & 0xffffU);
}

/// Makes the folder, or empties it of what an earlier run left there under the same names.
Result<void> make_out(PreparedRun& run) {
  std::error_code error;
  run.made_out = std::filesystem::create_directories(run.out, error);
  if (error) return fail(ErrorKind::usage, "cannot make {}: {}", run.out.string(), error.message());
  for (const char* name : {"events.jsonl", "junit.xml", "summary.json", "report.html", "units"}) {
    std::filesystem::remove_all(run.out / name, error);
    if (error) return fail(ErrorKind::usage, "cannot remove {}: {}", (run.out / name).string(), error.message());
  }
  for (const PreparedUnit& unit : run.units) {
    std::filesystem::create_directories(run.out / "units" / unit.plan.unit->id, error);
    if (error) return fail(ErrorKind::usage, "cannot write to {}: {}", run.out.string(), error.message());
  }
  return {};
}

}  // namespace

std::filesystem::path key_history_of(const std::filesystem::path& lab) {
  const auto variable = [](const char* name) -> std::filesystem::path {
    const char* const value = std::getenv(name);
    return value != nullptr ? value : "";
  };
  std::filesystem::path state = variable("XDG_STATE_HOME");
  if (!state.is_absolute() && variable("HOME").is_absolute()) state = variable("HOME") / ".local/state";
  if (!state.is_absolute()) return {};
  std::error_code ignored;
  // FNV-1a: the same from run to run, and labs of one name stay apart.
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const char letter : std::filesystem::weakly_canonical(lab, ignored).string()) {
    hash = (hash ^ static_cast<unsigned char>(letter)) * 0x100000001b3U;
  }
  return state / "hilmark/public_keys" / fmt::format("{}-{:016x}", lab.stem().string(), hash);
}

Result<Milliseconds> parse_duration(const std::string& text) {
  static constexpr std::int64_t max_ms = std::int64_t{365} * 24 * 3600 * 1000;
  static const std::map<std::string_view, std::int64_t> units{
      {"", 1000}, {"s", 1000}, {"ms", 1}, {"m", 60'000}, {"h", 3'600'000}};
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const auto unit = units.find(std::string_view(end, static_cast<std::size_t>(text.data() + text.size() - end)));
  if (error != std::errc() || unit == units.end() || number <= 0 || number > max_ms / unit->second) {
    return fail(ErrorKind::usage, "expected a time such as 90s, 15m or 2h; got `{}`", printable(text));
  }
  return Milliseconds(number * unit->second);
}

Result<Bench> find_bench(const std::filesystem::path& lab, const Selection& selection) {
  auto bench = read_bench(lab, BoardFolders::of_environment());
  if (!bench) return bench;
  const bool any_virtual = std::any_of(bench->units.begin(), bench->units.end(), [&](const BenchUnit& unit) {
    return unit.is_virtual() && is_selected(unit, selection);
  });
  if (any_virtual) {
    const auto boards = surrounding_virtual_lab();
    if (!boards) return fail(boards.error());
    for (BenchUnit& unit : bench->units) {
      if (!unit.is_virtual() || !is_selected(unit, selection)) continue;
      if (auto found = find_virtual_unit(unit, lab, *boards); !found) return fail(found.error());
    }
  }
  if (auto found = find_ports(*bench, selection); !found) return fail(found.error());
  return bench;
}

Result<Bench> find_bench_of(const std::filesystem::path& lab, const std::string& id) {
  auto bench = find_bench(lab, {.units = {id}, .areas = {}, .cases = {}});
  if (!bench) return bench;
  std::vector<std::string> ids;
  for (const BenchUnit& unit : bench->units) ids.push_back(unit.id);
  std::erase_if(bench->units, [&](const BenchUnit& unit) { return unit.id != id; });
  if (!bench->units.empty()) return bench;
  return fail(ErrorKind::usage, "no unit `{}` in {}{}", printable(id), lab.string(), suggestion(id, ids));
}

Result<Machine> look_at_machine(const Clock& clock) {
  if (auto right = check_clock(clock); !right) return fail(right.error());
  auto mosquitto = cloud::find_broker_program();
  if (!mosquitto) return fail(mosquitto.error());
  return Machine{.mosquitto = std::move(*mosquitto), .namespaces = namespaces_allowed().has_value()};
}

/// The units that an image given for all goes to: those of the chip that it names. One that names none, or a chip that
/// no unit has, goes to all, where loading it tells what is wrong.
std::vector<const BenchUnit*> units_for(const std::string& image, const std::vector<const BenchUnit*>& units) {
  const std::string chip = chip_named_by_image(image);
  std::vector<const BenchUnit*> fitting;
  std::copy_if(units.begin(), units.end(), std::back_inserter(fitting), [&](const BenchUnit* unit) {
    return !chip.empty() && unit->chip == chip && unit->can(Capability::flash);
  });
  return fitting.empty() ? units : fitting;
}

Result<std::map<std::string, std::string>> choose_firmware(const std::vector<const BenchUnit*>& units,
                                                           const std::vector<std::string>& option) {
  std::map<std::string, std::string> chosen;
  std::vector<std::string> ids;
  for (const BenchUnit* unit : units) {
    ids.push_back(unit->id);
    if (unit->can(Capability::flash)) chosen[unit->id] = unit->firmware;
  }
  for (const std::string& word : option) {
    const std::size_t equals = word.find('=');
    const std::string id = word.substr(0, equals == std::string::npos ? 0 : equals);
    const bool for_one = equals != std::string::npos && std::find(ids.begin(), ids.end(), id) != ids.end();
    // A path may hold an equals sign; what looks like a unit's id and is none is a slip.
    if (equals != std::string::npos && !for_one && id.find('/') == std::string::npos &&
        !std::filesystem::exists(word)) {
      return fail(ErrorKind::usage, "--firmware {}: no unit `{}` is selected{}", printable(word), printable(id),
                  suggestion(id, ids));
    }
    bool taken = false;
    for (const BenchUnit* unit : for_one ? units : units_for(word, units)) {
      if (for_one && unit->id != id) continue;
      if (!unit->can(Capability::flash)) {
        if (for_one)
          return fail(ErrorKind::usage, "--firmware {}: unit {} cannot be flashed", printable(word), unit->id);
        continue;
      }
      chosen[unit->id] = for_one ? word.substr(equals + 1) : word;
      taken = true;
    }
    if (!taken) return fail(ErrorKind::usage, "--firmware {}: no selected unit can be flashed", printable(word));
  }
  for (const BenchUnit* unit : units) {
    const auto image = chosen.find(unit->id);
    if (image == chosen.end() || image->second.empty()) continue;
    if (auto loaded = load_image(*unit, image->second); !loaded) return fail(loaded.error(), "unit {}", unit->id);
  }
  return chosen;
}

Result<PreparedRun> prepare_run(const RunOptions& options, const std::vector<suites::Case>& catalogue,
                                const Clock& clock) {
  PreparedRun run;
  auto bench = read_bench(options.lab, BoardFolders::of_environment());
  if (!bench) return fail(bench.error());
  // What the user chose is checked first: a slip in a name must not be told as a missing lab.
  if (auto plan = make_plan(*bench, catalogue, options.selection); !plan) return fail(plan.error());
  bench = find_bench(options.lab, options.selection);
  if (!bench) return fail(bench.error());
  run.bench = std::make_unique<Bench>(std::move(*bench));
  auto plan = make_plan(*run.bench, catalogue, options.selection);
  if (!plan) return fail(plan.error());
  std::vector<const BenchUnit*> units;
  for (const UnitPlan& unit_plan : *plan) units.push_back(unit_plan.unit);
  for (const BenchUnit* unit : units) {
    if (unit->kind != "process" || !find_program(unit->command.front()).empty()) continue;
    return fail(ErrorKind::usage, "unit {}: there is no program {} that can be run; correct `command` in {}", unit->id,
                printable(unit->command.front()), options.lab.string());
  }
  auto firmware = choose_firmware(units, options.firmware);
  if (!firmware) return fail(firmware.error());
  for (UnitPlan& unit_plan : *plan) {
    const std::string image = (*firmware)[unit_plan.unit->id];
    run.units.push_back({.plan = std::move(unit_plan), .firmware = image});
  }
  auto machine = look_at_machine(clock);
  if (!machine) return fail(machine.error());
  run.machine = std::move(*machine);
  run.seed = options.seed ? *options.seed : static_cast<std::int64_t>(std::random_device()());
  run.id = run_id(clock);
  run.default_out = !options.out;
  run.out = options.out.value_or(std::filesystem::path("out") / run.id);
  if (auto made = make_out(run); !made) return fail(made.error());
  return run;
}

void forget_out(const PreparedRun& run) {
  std::error_code ignored;
  if (run.made_out) {
    std::filesystem::remove_all(run.out, ignored);
  } else {
    std::filesystem::remove_all(run.out / "units", ignored);
  }
}

void link_latest(const PreparedRun& run) {
  if (!run.default_out) return;
  const std::filesystem::path latest = run.out.parent_path() / "latest";
  const std::filesystem::path fresh = run.out.parent_path() / (".latest-" + run.id);
  std::error_code error;
  std::filesystem::create_directory_symlink(run.out.filename(), fresh, error);
  if (!error) std::filesystem::rename(fresh, latest, error);
  // A folder that somebody made by that name is left alone.
  if (error) std::filesystem::remove(fresh, error);
}

}  // namespace hilmark
