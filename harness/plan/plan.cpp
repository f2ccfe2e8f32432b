#include "harness/plan/plan.h"

#include <algorithm>
#include <set>
#include <tuple>

#include <fmt/ranges.h>
#include <fnmatch.h>

#include "harness/base/bytes.h"
#include "harness/inventory/near_miss.h"

namespace hilmark {
namespace {

Result<std::vector<const BenchUnit*>> chosen_units(const Bench& bench, const std::vector<std::string>& ids) {
  std::vector<const BenchUnit*> units;
  std::vector<std::string> known;
  for (const BenchUnit& unit : bench.units) {
    known.push_back(unit.id);
    if (ids.empty() || std::find(ids.begin(), ids.end(), unit.id) != ids.end()) units.push_back(&unit);
  }
  for (const std::string& id : ids) {
    if (std::find(known.begin(), known.end(), id) == known.end()) {
      return fail(ErrorKind::usage, "no unit `{}` in {}{}", printable(id), bench.lab.string(), suggestion(id, known));
    }
  }
  return units;
}

/// Every pattern must choose something by itself: a word that chooses nothing is a slip.
Result<void> check_patterns(const std::vector<suites::Case>& catalogue, const std::vector<std::string>& patterns) {
  std::vector<std::string> ids;
  for (const suites::Case& test_case : catalogue) ids.push_back(test_case.id);
  for (const std::string& pattern : patterns) {
    const bool any = std::any_of(ids.begin(), ids.end(),
                                 [&](const std::string& id) { return ::fnmatch(pattern.c_str(), id.c_str(), 0) == 0; });
    if (!any)
      return fail(ErrorKind::usage, "no case `{}` in the catalogue{}", printable(pattern), suggestion(pattern, ids));
  }
  return {};
}

Result<void> check_areas(const std::vector<suites::Case>& catalogue, const std::vector<std::string>& areas) {
  std::vector<std::string> known;
  for (const suites::Case& test_case : catalogue) {
    if (std::find(known.begin(), known.end(), test_case.area) == known.end()) known.push_back(test_case.area);
  }
  for (const std::string& area : areas) {
    if (std::find(known.begin(), known.end(), area) == known.end()) {
      return fail(ErrorKind::usage, "no area `{}` in the catalogue{}", printable(area), suggestion(area, known));
    }
  }
  return {};
}

bool is_selected(const suites::Case& test_case, const std::string& unit, const Selection& selection) {
  const auto& areas = selection.areas;
  const auto& cases = selection.cases;
  const bool in_area = areas.empty() || std::find(areas.begin(), areas.end(), test_case.area) != areas.end();
  const bool in_cases = cases.empty() || std::any_of(cases.begin(), cases.end(), [&](const std::string& pattern) {
                          return ::fnmatch(pattern.c_str(), test_case.id.c_str(), 0) == 0;
                        });
  const auto own = selection.cases_of_unit.find(unit);
  const bool in_own = own == selection.cases_of_unit.end() ||
                      std::find(own->second.begin(), own->second.end(), test_case.id) != own->second.end();
  return in_area && in_cases && in_own;
}

/// What makes two units of one type: all that a case can see of a difference.
bool of_one_type(const BenchUnit& left, const BenchUnit& right) {
  const auto type = [](const BenchUnit& unit) {
    return std::tie(unit.kind, unit.board, unit.chip, unit.capabilities, unit.firmware, unit.command);
  };
  return type(left) == type(right);
}

/// The units of one type, and how many cases that wait each has been given.
struct Shard {
  std::vector<UnitPlan*> units;
  std::map<const UnitPlan*, std::set<std::string>> given;

  /// Where what the case depends on runs, so that one fault is told once; else where there is least to do.
  UnitPlan* choose(const suites::Case& test_case) {
    const auto has_dependency = [&](UnitPlan* unit) {
      const auto& needed = test_case.depends_on;
      return std::any_of(needed.begin(), needed.end(),
                         [&](const std::string& id) { return given[unit].count(id) > 0; });
    };
    const auto dependent = std::find_if(units.begin(), units.end(), has_dependency);
    if (dependent != units.end()) return *dependent;
    return *std::min_element(units.begin(), units.end(),
                             [&](UnitPlan* left, UnitPlan* right) { return given[left].size() < given[right].size(); });
  }

  void deal(const suites::Case& test_case) {
    std::vector<PlannedCase*> planned;
    for (UnitPlan* unit : units) {
      for (PlannedCase& each : unit->cases) {
        if (each.test_case == &test_case && !each.skip) planned.push_back(&each);
      }
    }
    if (planned.size() < units.size()) return;  // Not all were chosen to run it.
    UnitPlan* const chosen = choose(test_case);
    given[chosen].insert(test_case.id);
    for (std::size_t i = 0; i < units.size(); ++i) {
      if (units[i] != chosen)
        planned[i]->skip = fmt::format("runs on {} for all of its type (--shard)", chosen->unit->id);
    }
  }
};

void shard(Plan& plan, const std::vector<suites::Case>& catalogue) {
  std::vector<Shard> shards;
  for (UnitPlan& unit : plan) {
    const auto same = std::find_if(shards.begin(), shards.end(), [&](const Shard& shard) {
      return of_one_type(*shard.units.front()->unit, *unit.unit);
    });
    (same == shards.end() ? shards.emplace_back() : *same).units.push_back(&unit);
  }
  for (Shard& each : shards) {
    if (each.units.size() < 2) continue;
    for (const suites::Case& test_case : catalogue) {
      if (test_case.waits) each.deal(test_case);
    }
  }
}

}  // namespace

std::vector<std::string> UnitPlan::running() const {
  std::vector<std::string> ids;
  for (const PlannedCase& planned : cases) {
    if (!planned.skip) ids.push_back(planned.test_case->id);
  }
  return ids;
}

std::optional<std::string> reason_to_skip(const suites::Case& test_case, const BenchUnit& unit) {
  std::vector<std::string_view> missing;
  for (const Capability need : test_case.needs) {
    if (!unit.can(need)) missing.push_back(name_of(need));
  }
  if (missing.empty()) return std::nullopt;
  return fmt::format("needs {}; the unit offers {}", fmt::join(missing, ", "),
                     unit.capabilities.empty() ? "nothing" : fmt::format("{}", fmt::join(unit.capabilities, ", ")));
}

Result<Plan> make_plan(const Bench& bench, const std::vector<suites::Case>& catalogue, const Selection& selection) {
  const auto units = chosen_units(bench, selection.units);
  if (!units) return fail(units.error());
  if (auto known = check_areas(catalogue, selection.areas); !known) return fail(known.error());
  if (auto known = check_patterns(catalogue, selection.cases); !known) return fail(known.error());
  Plan plan;
  for (const BenchUnit* unit : *units) {
    UnitPlan& unit_plan = plan.emplace_back(UnitPlan{.unit = unit, .cases = {}});
    for (const suites::Case& test_case : catalogue) {
      if (is_selected(test_case, unit->id, selection))
        unit_plan.cases.push_back({&test_case, reason_to_skip(test_case, *unit)});
    }
    if (unit_plan.cases.empty()) {
      return fail(ErrorKind::usage, "nothing is selected: no case is of area {} and matches {}",
                  fmt::join(selection.areas, " or "), fmt::join(selection.cases, " or "));
    }
  }
  if (selection.shard) shard(plan, catalogue);
  return plan;
}

}  // namespace hilmark
