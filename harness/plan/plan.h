// What runs on which unit, and what is skipped and why. A pure function of bench, catalogue and the user's selection.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "harness/base/error.h"
#include "harness/inventory/bench.h"
#include "suites/case.h"

namespace hilmark {

/// What the user chose; an empty list chooses all. Areas and cases together intersect.
struct Selection {
  std::vector<std::string> units;  ///< ids
  std::vector<std::string> areas;
  std::vector<std::string> cases;  ///< shell patterns over ids
  /// Unit -> the ids of the only cases that run on it, among those chosen above; a unit that is not named runs all.
  std::map<std::string, std::vector<std::string>> cases_of_unit;
  /// Of units of one type each case that waits runs on one alone.
  bool shard = false;
};

struct PlannedCase {
  const suites::Case* test_case = nullptr;
  std::optional<std::string> skip;  ///< why it does not run
};

struct UnitPlan {
  const BenchUnit* unit = nullptr;
  std::vector<PlannedCase> cases;                          ///< in the catalogue's order
  [[nodiscard]] std::vector<std::string> running() const;  ///< ids of those not skipped
};

/// Bench and catalogue must outlive it.
using Plan = std::vector<UnitPlan>;

/// Errors (usage): a unit, area or case that does not exist (with what may have been meant), or nothing is selected.
[[nodiscard]] Result<Plan> make_plan(const Bench& bench, const std::vector<suites::Case>& catalogue,
                                     const Selection& selection);

/// "needs power, csr; the unit offers reset, console", or nothing if the unit can run it.
[[nodiscard]] std::optional<std::string> reason_to_skip(const suites::Case& test_case, const BenchUnit& unit);

}  // namespace hilmark
