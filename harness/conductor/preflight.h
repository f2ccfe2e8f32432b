// Everything that can be wrong is found here, before any unit is touched.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "harness/conductor/run_options.h"
#include "harness/plan/plan.h"
#include "suites/case.h"

namespace hilmark {

struct PreparedUnit {
  UnitPlan plan;
  std::string firmware;  ///< image to flash; empty: none
};

/// What a worker needs of this machine.
struct Machine {
  std::string mosquitto;   ///< the broker's program
  bool namespaces = true;  ///< whether it lets us make them
};
/// Errors (usage): its clock is wrong, or there is no broker.
[[nodiscard]] Result<Machine> look_at_machine(const Clock& clock);

struct PreparedRun {
  std::unique_ptr<Bench> bench;  ///< that the plans point into
  std::vector<PreparedUnit> units;
  std::string id;             ///< "20260131-101500-3fa2"
  std::filesystem::path out;  ///< exists, empty of reports of other runs
  bool made_out = false;      ///< this run has made it
  bool default_out = false;   ///< out/latest shall point to it
  std::int64_t seed = 0;
  Machine machine;
};

/// The lab with all of its units found: virtual units in the lab around us, USB units by their serial numbers.
[[nodiscard]] Result<Bench> find_bench(const std::filesystem::path& lab, const Selection& selection);

/// The same with that one of its units alone. Errors (usage) as those of find_bench(), and where it has no such unit.
[[nodiscard]] Result<Bench> find_bench_of(const std::filesystem::path& lab, const std::string& id);

/// The checked image for each unit: the option's, else the lab file's.
[[nodiscard]] Result<std::map<std::string, std::string>> choose_firmware(const std::vector<const BenchUnit*>& units,
                                                                         const std::vector<std::string>& option);

/// Errors (usage): one clear sentence; nothing has been touched and nothing is left behind.
[[nodiscard]] Result<PreparedRun> prepare_run(const RunOptions& options, const std::vector<suites::Case>& catalogue,
                                              const Clock& clock);

/// Removes the folder that a run made which did not begin.
void forget_out(const PreparedRun& run);
/// out/latest → the run's folder, by rename.
void link_latest(const PreparedRun& run);

}  // namespace hilmark
