#include "harness/plan/plan_text.h"

#include <algorithm>

#include <fmt/ranges.h>

namespace hilmark {
namespace {

namespace json = boost::json;

std::string_view level_text(suites::Level level) { return level == suites::Level::must ? "MUST" : "SHOULD"; }

json::array texts(const std::vector<std::string>& values) {
  json::array list;
  for (const std::string& value : values) list.emplace_back(value);
  return list;
}

std::vector<std::string> needs_of(const suites::Case& test_case) {
  std::vector<std::string> names;
  for (const Capability need : test_case.needs) names.emplace_back(name_of(need));
  return names;
}

/// Members that a case has wherever it is listed.
json::object case_json(const suites::Case& test_case) {
  return {{"area", test_case.area},
          {"level", level_text(test_case.level)},
          {"title", test_case.title},
          {"demand", test_case.demand},
          {"source", test_case.source},
          {"needs", texts(needs_of(test_case))},
          {"defects", texts(test_case.defects)},
          {"depends_on", texts(test_case.depends_on)},
          {"opportunity", test_case.opportunity},
          {"waits", test_case.waits},
          {"file", test_case.file},
          {"line", test_case.line}};
}

json::object with_id(const char* key, const suites::Case& test_case) {
  json::object object{{key, test_case.id}};
  for (const auto& member : case_json(test_case)) object.insert(member);
  return object;
}

std::string cell(std::string text) {
  for (std::size_t at = text.find('|'); at != std::string::npos; at = text.find('|', at + 2)) text.insert(at, "\\");
  return text;
}

}  // namespace

json::array cases_json(const UnitPlan& plan) {
  json::array cases;
  for (const PlannedCase& planned : plan.cases) {
    json::object entry = with_id("case", *planned.test_case);
    entry["skip"] = planned.skip ? json::value(*planned.skip) : json::value(nullptr);
    cases.push_back(std::move(entry));
  }
  return cases;
}

json::object plan_json(const Plan& plan) {
  json::array units;
  for (const UnitPlan& unit_plan : plan) {
    const BenchUnit& unit = *unit_plan.unit;
    units.push_back(json::object{{"unit", unit.id},
                                 {"virtual", unit.is_virtual()},
                                 {"kind", unit.kind},
                                 {"board", unit.board},
                                 {"chip", unit.chip},
                                 {"capabilities", texts(unit.capabilities)},
                                 {"cases", cases_json(unit_plan)}});
  }
  return {{"version", 1}, {"catalogue", catalogue_version}, {"units", std::move(units)}};
}

std::string plan_text(const Plan& plan) {
  std::string text;
  for (const UnitPlan& unit_plan : plan) {
    const BenchUnit& unit = *unit_plan.unit;
    text += fmt::format("{} ({}, {}{})\n", unit.id, unit.board, unit.kind, unit.is_virtual() ? "; VIRTUAL" : "");
    for (const PlannedCase& planned : unit_plan.cases) {
      const suites::Case& test_case = *planned.test_case;
      text += fmt::format("  {:8} {:6} {}\n", test_case.id, level_text(test_case.level), test_case.title);
      if (planned.skip) text += fmt::format("           skipped: {}\n", *planned.skip);
    }
  }
  return text;
}

json::object catalogue_json(const std::vector<suites::Case>& catalogue) {
  json::array cases;
  for (const suites::Case& test_case : catalogue) cases.push_back(with_id("id", test_case));
  return {{"version", 1}, {"catalogue", catalogue_version}, {"cases", std::move(cases)}};
}

std::string catalogue_markdown(const std::vector<suites::Case>& catalogue) {
  std::vector<std::string> areas;
  for (const suites::Case& test_case : catalogue) {
    if (std::find(areas.begin(), areas.end(), test_case.area) == areas.end()) areas.push_back(test_case.area);
  }
  std::string text = fmt::format("# Catalogue, version {}\n", catalogue_version);
  for (const std::string& area : areas) {
    text += fmt::format(
        "\n## {}\n\n| id | level | demand | source | needs | opportunity | defects caught "
        "|\n|---|---|---|---|---|---|---|\n",
        area);
    for (const suites::Case& test_case : catalogue) {
      if (test_case.area != area) continue;
      text += fmt::format("| {} | {} | {} | {} | {} | {} | {} |\n", test_case.id, level_text(test_case.level),
                          cell(test_case.demand), cell(test_case.source), fmt::join(needs_of(test_case), ", "),
                          cell(test_case.opportunity), fmt::join(test_case.defects, ", "));
    }
  }
  return text;
}

std::string catalogue_text(const std::vector<suites::Case>& catalogue) {
  std::string text;
  for (const suites::Case& test_case : catalogue) {
    text += fmt::format("{:8} {:6} {}\n         {}\n         source: {}; needs: {}\n", test_case.id,
                        level_text(test_case.level), test_case.title, test_case.demand, test_case.source,
                        fmt::join(needs_of(test_case), ", "));
  }
  return text;
}

}  // namespace hilmark
