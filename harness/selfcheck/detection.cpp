#include "harness/selfcheck/detection.h"

#include <algorithm>
#include <tuple>

namespace hilmark::selfcheck {
namespace {

bool lists(const reports::PlannedCase& planned, const std::string& defect) {
  return std::find(planned.defects.begin(), planned.defects.end(), defect) != planned.defects.end();
}

}  // namespace

std::string_view name_of(Mark mark) {
  switch (mark) {
    case Mark::passed:
      return "passed";
    case Mark::caught:
      return "caught";
    case Mark::missed:
      return "missed";
    case Mark::also:
      return "also";
    case Mark::false_alarm:
      return "false alarm";
    case Mark::warned:
      return "warned";
    case Mark::inconclusive:
      return "inconclusive";
    case Mark::blocked:
      return "blocked";
    case Mark::skipped:
      return "skipped";
    case Mark::error:
      return "error";
  }
  return "";
}

std::size_t TrialResult::count(Mark mark) const {
  return static_cast<std::size_t>(
      std::count_if(cases.begin(), cases.end(), [&](const CaseMark& each) { return each.mark == mark; }));
}

bool TrialResult::is_clean() const {
  return count(Mark::false_alarm) + count(Mark::inconclusive) + count(Mark::blocked) + count(Mark::error) == 0;
}

std::set<std::string> Detection::names() const {
  std::set<std::string> names;
  for (const TrialResult& result : defects) names.insert(result.trial.defect);
  return names;
}

std::vector<std::string> Detection::missed() const {
  std::vector<std::string> list;
  for (const TrialResult& result : defects) {
    if (!result.is_caught()) list.push_back(result.trial.defect + " on " + result.trial.of);
  }
  return list;
}

std::vector<std::string> Detection::alarms() const {
  std::vector<std::string> list;
  for (const TrialResult& result : golden) {
    for (const CaseMark& each : result.cases) {
      if (each.mark == Mark::false_alarm || each.mark == Mark::inconclusive)
        list.push_back(each.id + " on " + result.trial.unit + " (golden)");
    }
  }
  for (const TrialResult& result : defects) {
    for (const CaseMark& each : result.cases) {
      if (each.mark == Mark::false_alarm)
        list.push_back(each.id + " on " + result.trial.of + " (" + result.trial.defect + ")");
    }
  }
  return list;
}

std::size_t Detection::errors() const {
  std::size_t sum = 0;
  for (const auto* results : {&golden, &defects}) {
    for (const TrialResult& result : *results) sum += result.count(Mark::error);
  }
  return sum;
}

int Detection::exit_status() const {
  if (errors() > 0) return 3;
  return missed().empty() && alarms().empty() ? 0 : 1;
}

Judge::Judge(const std::vector<SeededDefect>& defects) {
  for (const SeededDefect& defect : defects) also_[defect.name] = defect.also;
}

Mark Judge::mark_of(const Trial& trial, const reports::CaseOutcome& outcome) const {
  using reports::Verdict;
  const bool listed = !trial.defect.empty() && lists(*outcome.planned, trial.defect);
  switch (outcome.verdict) {
    case Verdict::pass:
      return listed ? Mark::missed : Mark::passed;
    case Verdict::error:
      return Mark::error;
    case Verdict::inconclusive:
      return Mark::inconclusive;
    case Verdict::skip:
      return outcome.blocked_by.empty() ? Mark::skipped : Mark::blocked;
    case Verdict::warn:
      // A case that must hold warns of what is no fault; one that should hold has no stronger word.
      if (outcome.planned->level != "SHOULD") return listed ? Mark::missed : Mark::warned;
      if (!listed && (trial.defect.empty() || golden_warnings_.count({outcome.unit->board, outcome.planned->id}) > 0))
        return Mark::warned;
      break;
    case Verdict::fail:
      break;
  }
  if (listed) return Mark::caught;
  const auto also = also_.find(trial.defect);
  return also != also_.end() && also->second.count(outcome.planned->id) > 0 ? Mark::also : Mark::false_alarm;
}

void Judge::take(const Trial& trial, const reports::CaseOutcome& outcome) {
  const auto same = [&](const TrialResult& each) {
    return each.trial.unit == trial.unit && each.trial.defect == trial.defect;
  };
  auto result = std::find_if(results_.begin(), results_.end(), same);
  if (result == results_.end()) {
    result = results_.insert(
        results_.end(),
        {.trial = trial, .board = outcome.unit->board, .is_virtual = outcome.unit->is_virtual, .cases = {}});
  }
  const Mark mark = mark_of(trial, outcome);
  if (trial.defect.empty() && mark == Mark::warned) golden_warnings_.insert({outcome.unit->board, outcome.planned->id});
  result->cases.push_back({.id = outcome.planned->id,
                           .area = outcome.planned->area,
                           .mark = mark,
                           .message = outcome.message,
                           .evidence = outcome.evidence});
}

Detection Judge::detection(std::vector<std::string> not_tried) const {
  Detection detection;
  for (const TrialResult& result : results_) {
    (result.trial.defect.empty() ? detection.golden : detection.defects).push_back(result);
  }
  // As they ended says nothing; in an order that stays, two of them can be compared.
  for (auto* results : {&detection.golden, &detection.defects}) {
    std::sort(results->begin(), results->end(), [](const TrialResult& left, const TrialResult& right) {
      return std::tie(left.trial.defect, left.board, left.trial.of) <
             std::tie(right.trial.defect, right.board, right.trial.of);
    });
  }
  detection.not_tried = std::move(not_tried);
  return detection;
}

}  // namespace hilmark::selfcheck
