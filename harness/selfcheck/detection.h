// What the suite saw of the seeded defects: a pure function of trials and verdicts.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "harness/selfcheck/trials.h"
#include "reports/run_follower.h"

namespace hilmark::selfcheck {

/// How a case ended on a unit, seen from what the unit was.
enum class Mark {
  passed,
  caught,       ///< it lists the defect, and failed (a SHOULD: warned)
  missed,       ///< it lists the defect, and passed; another may have caught it
  also,         ///< it failed and does not list the defect, and suites/defects.yaml says why that is right
  false_alarm,  ///< it failed, and nothing says that it should
  warned,       ///< a SHOULD that the golden unit of this kind does not meet either
  inconclusive,
  blocked,
  skipped,
  error,
};
[[nodiscard]] std::string_view name_of(Mark mark);

struct CaseMark {
  std::string id, area;
  Mark mark = Mark::passed;
  std::string message;
  std::vector<std::uint64_t> evidence;  ///< numbers in the trial's events.jsonl
};

struct TrialResult {
  Trial trial;
  std::string board;
  bool is_virtual = false;
  std::vector<CaseMark> cases;  ///< in the catalogue's order
  [[nodiscard]] std::size_t count(Mark mark) const;
  [[nodiscard]] bool is_caught() const { return count(Mark::caught) > 0; }
  /// Of a golden unit: it gave no alarm, and every case that could run came to a verdict.
  [[nodiscard]] bool is_clean() const;
};

struct Detection {
  std::vector<TrialResult> golden;
  std::vector<TrialResult> defects;
  std::vector<std::string> not_tried;
  [[nodiscard]] std::set<std::string> names() const;      ///< of the defects that were tried
  [[nodiscard]] std::vector<std::string> missed() const;  ///< "defect on unit"
  [[nodiscard]] std::vector<std::string> alarms() const;  ///< "case on unit (defect)", the unclean golden ones included
  [[nodiscard]] std::size_t errors() const;
  /// 3: the rig failed; 1: a miss or a false alarm; 0.
  [[nodiscard]] int exit_status() const;
};

/// Takes the trials one after another, golden ones first.
class Judge {
 public:
  explicit Judge(const std::vector<SeededDefect>& defects);
  /// A case's end on the unit of this trial.
  void take(const Trial& trial, const reports::CaseOutcome& outcome);
  [[nodiscard]] Detection detection(std::vector<std::string> not_tried) const;

 private:
  [[nodiscard]] Mark mark_of(const Trial& trial, const reports::CaseOutcome& outcome) const;
  std::map<std::string, std::map<std::string, std::string>> also_;
  std::vector<TrialResult> results_;
  std::set<std::pair<std::string, std::string>> golden_warnings_;  // bench unit's board, case
};

}  // namespace hilmark::selfcheck
