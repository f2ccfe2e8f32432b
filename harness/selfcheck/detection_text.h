// A detection as text for people, as JSON for scripts, and as Markdown for docs/detection.md.
#pragma once

#include <string>

#include <boost/json/object.hpp>

#include "harness/selfcheck/detection.h"

namespace hilmark::selfcheck {

/// One line a unit, the matrix (a letter for each case) and the sum.
[[nodiscard]] std::string detection_text(const Detection& detection, const std::vector<suites::Case>& catalogue);

/// {"version": 1, "defects", "caught", "missed", "false_alarms", "not_tried", "golden": {unit: {…}}, "matrix":
/// {defect: {unit: {case: mark}}}}
[[nodiscard]] boost::json::object detection_json(const Detection& detection);

/// Tables without anything that changes from run to run.
[[nodiscard]] std::string detection_markdown(const Detection& detection, const std::vector<suites::Case>& catalogue,
                                             const std::vector<SeededDefect>& defects);

}  // namespace hilmark::selfcheck
