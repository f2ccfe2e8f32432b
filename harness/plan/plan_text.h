// The plan, and the catalogue, for people and for scripts.
#pragma once

#include <string>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "harness/plan/plan.h"

namespace hilmark {

/// `run --list`: a line for each unit and case.
[[nodiscard]] std::string plan_text(const Plan& plan);
/// `run --list --json`: {"version": 1, "units": [{"unit", "virtual", …, "cases": [{"case", …, "skip"}]}]}.
[[nodiscard]] boost::json::object plan_json(const Plan& plan);
/// The list `cases` of a unit's `unit_planned` event (reports/events.md).
[[nodiscard]] boost::json::array cases_json(const UnitPlan& plan);

/// `suites --json`: {"version": 1, "catalogue", "cases": […]}.
[[nodiscard]] boost::json::object catalogue_json(const std::vector<suites::Case>& catalogue);
/// `suites --markdown`: a table for each area.
[[nodiscard]] std::string catalogue_markdown(const std::vector<suites::Case>& catalogue);
[[nodiscard]] std::string catalogue_text(const std::vector<suites::Case>& catalogue);

/// The catalogue's version: events and reports name it.
inline constexpr const char* catalogue_version = "2";

}  // namespace hilmark
