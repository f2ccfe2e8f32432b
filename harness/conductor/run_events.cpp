#include "harness/conductor/run_events.h"

#include <array>

#include <boost/json/array.hpp>
#include <unistd.h>

#include "harness/plan/plan_text.h"

namespace hilmark {
namespace {

namespace json = boost::json;

json::array texts(const std::vector<std::string>& values) {
  json::array list;
  for (const std::string& value : values) list.emplace_back(value);
  return list;
}

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? std::string(name.data()) : "unknown";
}

}  // namespace

json::object run_started_event(const RunOptions& options, const ConductorParts& parts, const PreparedRun& run) {
  return {{"type", "run_started"},
          {"run", run.id},
          {"version", parts.version},
          {"catalogue", catalogue_version},
          {"command", texts(options.command)},
          {"lab", options.lab.string()},
          {"seed", run.seed},
          {"rounds", options.rounds},
          {"strict", options.strict},
          {"long", options.long_time},
          {"host", host_name()},
          {"pid", ::getpid()}};
}

json::object unit_planned_event(const PreparedUnit& prepared) {
  const BenchUnit& unit = *prepared.plan.unit;
  const Timing limits = unit.limits();
  return {{"type", "unit_planned"},
          {"kind", unit.kind},
          {"board", unit.board},
          {"chip", unit.chip},
          {"serial", unit.serial},
          {"port", unit.port},
          {"capabilities", texts(unit.capabilities)},
          {"limits",
           {{"boot_ms", limits.boot.count()},
            {"connect_ms", limits.connect.count()},
            {"reconnect_max_ms", limits.reconnect_max.count()},
            {"handshake_ms", limits.handshake.count()},
            {"endpoint_command_ms", limits.endpoint_command.count()},
            {"watch_ms", limits.watch.count()},
            {"dns_ttl_ms", limits.dns_ttl.count()},
            {"storm_window_ms", limits.storm_window.count()},
            {"soak_ms", limits.soak.count()},
            {"keep_alive_s", limits.keep_alive_s}}},
          {"firmware", prepared.firmware.empty() ? json::value(nullptr) : json::value(prepared.firmware)},
          {"cases", cases_json(prepared.plan)}};
}

WorkerOrders orders_for(const RunOptions& options, const PreparedRun& run, const PreparedUnit& unit) {
  return {.unit = *unit.plan.unit,
          .cases = unit.plan.running(),
          .rounds = options.rounds,
          .long_time = options.long_time,
          .seed = run.seed,
          .accounts = run.bench->accounts,
          .regions = run.bench->regions,
          .firmware = unit.firmware,
          .folder = {},
          .mosquitto = run.machine.mosquitto,
          .namespaces = run.machine.namespaces,
          .wait_ms = options.wait.count(),
          .key_history = options.key_history.value_or(key_history_of(options.lab)).string()};
}

}  // namespace hilmark
