#include "harness/selfcheck/detection_text.h"

#include <algorithm>

#include <fmt/ranges.h>

namespace hilmark::selfcheck {
namespace {

namespace json = boost::json;

char letter_of(Mark mark) {
  switch (mark) {
    case Mark::passed:
      return '.';
    case Mark::caught:
      return 'C';
    case Mark::missed:
      return 'm';
    case Mark::also:
      return 'a';
    case Mark::false_alarm:
      return 'F';
    case Mark::warned:
      return 'w';
    case Mark::inconclusive:
      return '?';
    case Mark::blocked:
      return 'b';
    case Mark::skipped:
      return '-';
    case Mark::error:
      return 'E';
  }
  return ' ';
}

const CaseMark* find_case(const TrialResult& result, const std::string& id) {
  const auto found =
      std::find_if(result.cases.begin(), result.cases.end(), [&](const CaseMark& each) { return each.id == id; });
  return found == result.cases.end() ? nullptr : &*found;
}

std::vector<std::string> ids_of(const TrialResult& result, Mark mark) {
  std::vector<std::string> ids;
  for (const CaseMark& each : result.cases) {
    if (each.mark == mark) ids.push_back(each.id);
  }
  return ids;
}

/// The cases' order, grouped by area as the catalogue has them.
std::vector<std::pair<std::string, std::vector<std::string>>> columns(const std::vector<suites::Case>& catalogue) {
  std::vector<std::pair<std::string, std::vector<std::string>>> areas;
  for (const suites::Case& each : catalogue) {
    auto area = std::find_if(areas.begin(), areas.end(), [&](const auto& entry) { return entry.first == each.area; });
    if (area == areas.end()) area = areas.insert(areas.end(), {each.area, {}});
    area->second.push_back(each.id);
  }
  for (auto& [area, ids] : areas) std::sort(ids.begin(), ids.end());
  return areas;
}

std::string matrix_text(const Detection& detection, const std::vector<suites::Case>& catalogue) {
  const auto areas = columns(catalogue);
  std::string text =
      "matrix: C caught, m not caught by this one, a fails too and is expected to, F false alarm, w "
      "warned as golden, ? inconclusive, b blocked, - skipped, E error, . passed\n";
  for (const auto& [area, ids] : areas) text += fmt::format("  {}: {}\n", area, fmt::join(ids, " "));
  text += fmt::format("\n{:<42}", "");
  for (const auto& [area, ids] : areas) text += fmt::format(" {:<{}}", area.substr(0, ids.size()), ids.size());
  for (const auto* results : {&detection.golden, &detection.defects}) {
    for (const TrialResult& result : *results) {
      const Trial& trial = result.trial;
      text +=
          fmt::format("\n{:<42}", trial.defect.empty() ? trial.unit + " (golden)" : trial.defect + " @ " + trial.of);
      for (const auto& [area, ids] : areas) {
        text += ' ';
        for (const std::string& id : ids) {
          const CaseMark* each = find_case(result, id);
          text += each == nullptr ? ' ' : letter_of(each->mark);
        }
      }
    }
  }
  return text + "\n";
}

std::string golden_line(const TrialResult& result) {
  return fmt::format("  {:<24} {} ({}): {} passed, {} warned, {} skipped{}\n", result.trial.unit,
                     result.is_clean() ? "clean" : "NOT CLEAN", result.board, result.count(Mark::passed),
                     result.count(Mark::warned), result.count(Mark::skipped),
                     result.is_clean() ? std::string()
                                       : fmt::format("; failed {}, inconclusive {}, errors {}",
                                                     fmt::join(ids_of(result, Mark::false_alarm), " "),
                                                     fmt::join(ids_of(result, Mark::inconclusive), " "),
                                                     fmt::join(ids_of(result, Mark::error), " ")));
}

std::string defect_lines(const TrialResult& result) {
  const auto also = ids_of(result, Mark::also);
  const auto alarms = ids_of(result, Mark::false_alarm);
  std::string text = fmt::format(
      "  {:<28} on {:<16} {}{}{}\n", result.trial.defect, result.trial.of,
      result.is_caught() ? fmt::format("caught by {}", fmt::join(ids_of(result, Mark::caught), " ")) : "MISSED",
      also.empty() ? "" : fmt::format("; also {}", fmt::join(also, " ")),
      alarms.empty() ? "" : fmt::format("; FALSE ALARM {}", fmt::join(alarms, " ")));
  for (const CaseMark& each : result.cases) {
    if (each.mark != Mark::caught && each.mark != Mark::false_alarm) continue;
    text += fmt::format("      {}: {} [evidence {}]\n", each.id, each.message, fmt::join(each.evidence, ", "));
  }
  return text;
}

json::array texts(const std::vector<std::string>& values) {
  json::array list;
  for (const std::string& value : values) list.emplace_back(value);
  return list;
}

}  // namespace

std::string detection_text(const Detection& detection, const std::vector<suites::Case>& catalogue) {
  std::string text = "golden units\n";
  for (const TrialResult& result : detection.golden) text += golden_line(result);
  text += "defects\n";
  for (const TrialResult& result : detection.defects) text += defect_lines(result);
  text += "\n" + matrix_text(detection, catalogue) + "\n";
  if (!detection.not_tried.empty())
    text += fmt::format("not tried, as no unit of the lab can have them: {}\n", fmt::join(detection.not_tried, " "));
  const auto missed = detection.missed();
  const auto alarms = detection.alarms();
  if (!missed.empty()) text += fmt::format("missed: {}\n", fmt::join(missed, ", "));
  if (!alarms.empty()) text += fmt::format("false alarms: {}\n", fmt::join(alarms, ", "));
  const auto clean = std::count_if(detection.golden.begin(), detection.golden.end(),
                                   [](const TrialResult& result) { return result.is_clean(); });
  return text +
         fmt::format("{} defects on {} units: {} missed, {} false alarms, {} errors; {} of {} golden units clean\n",
                     detection.names().size(), detection.defects.size(), missed.size(), alarms.size(),
                     detection.errors(), clean, detection.golden.size());
}

json::object detection_json(const Detection& detection) {
  json::object golden;
  for (const TrialResult& result : detection.golden) {
    json::object marks;
    for (const CaseMark& each : result.cases) marks[each.id] = name_of(each.mark);
    golden[result.trial.unit] = json::object{{"board", result.board}, {"clean", result.is_clean()}, {"cases", marks}};
  }
  json::object matrix;
  std::set<std::string> uncaught;
  for (const TrialResult& result : detection.defects) {
    if (!result.is_caught()) uncaught.insert(result.trial.defect);
    json::object marks;
    for (const CaseMark& each : result.cases) marks[each.id] = name_of(each.mark);
    json::value& entry = matrix[result.trial.defect];
    if (!entry.is_object()) entry = json::object();
    entry.as_object()[result.trial.of] = std::move(marks);
  }
  const std::size_t tried = detection.names().size();
  return {{"version", 1},
          {"defects", tried},
          {"caught", tried - uncaught.size()},
          {"missed", texts(detection.missed())},
          {"false_alarms", texts(detection.alarms())},
          {"errors", detection.errors()},
          {"not_tried", texts(detection.not_tried)},
          {"golden", std::move(golden)},
          {"matrix", std::move(matrix)}};
}

std::string detection_markdown(const Detection& detection, const std::vector<suites::Case>& catalogue,
                               const std::vector<SeededDefect>& defects) {
  std::string text =
      "# What the suite sees\n\nMade by `./rig selfcheck`: the suite on golden units, which must come out "
      "clean, and on units with one seeded defect each, which a case that lists the defect must catch.\n\n"
      "## Golden units\n\n| unit | board | clean | passed | warned | skipped |\n|---|---|---|---|---|---|\n";
  for (const TrialResult& result : detection.golden) {
    text += fmt::format("| {} | {}{} | {} | {} | {} | {} |\n", result.trial.unit, result.board,
                        result.is_virtual ? " (virtual)" : "", result.is_clean() ? "yes" : "**no**",
                        result.count(Mark::passed), fmt::join(ids_of(result, Mark::warned), " "),
                        result.count(Mark::skipped));
  }
  text += "\n## Seeded defects\n\n| defect | on | listed by | caught by | fails too |\n|---|---|---|---|---|\n";
  for (const TrialResult& result : detection.defects) {
    std::vector<std::string> listed;
    for (const suites::Case& each : catalogue) {
      if (std::find(each.defects.begin(), each.defects.end(), result.trial.defect) != each.defects.end())
        listed.push_back(each.id);
    }
    text +=
        fmt::format("| {} | {} | {} | {} | {} |\n", result.trial.defect, result.board, fmt::join(listed, " "),
                    result.is_caught() ? fmt::format("{}", fmt::join(ids_of(result, Mark::caught), " ")) : "**none**",
                    fmt::join(ids_of(result, Mark::also), " "));
  }
  text += "\n## Why others fail too\n\n";
  for (const SeededDefect& defect : defects) {
    for (const auto& [id, why] : defect.also) text += fmt::format("- {} on {}: {}.\n", id, defect.name, why);
  }
  return text;
}

}  // namespace hilmark::selfcheck
