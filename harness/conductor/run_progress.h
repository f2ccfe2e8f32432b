// What is told on stderr while a run goes on.
#pragma once

#include <cstdio>
#include <map>
#include <string>
#include <string_view>

#include "reports/run_follower.h"

namespace hilmark {

/// A line for each verdict; on a terminal a moving last line as well.
class RunProgress {
 public:
  struct Look {
    bool terminal = false;
    bool colour = false;  ///< a terminal, and NO_COLOR is not set
  };
  [[nodiscard]] static Look look_of(std::FILE* stream);

  RunProgress(std::FILE* stream, Look look, std::size_t verdicts_to_come)
      : stream_(stream), look_(look), all_(verdicts_to_come) {}
  ~RunProgress() { clear(); }
  RunProgress(const RunProgress&) = delete;
  RunProgress& operator=(const RunProgress&) = delete;

  void line(std::string_view text);
  void verdict(const reports::CaseOutcome& outcome, std::int64_t rounds);
  /// What a unit is at: "SNI-03", "flash 43 %"; empty: it has ended.
  void unit_at(const std::string& unit, const std::string& what);
  void redraw();

 private:
  void clear();
  std::FILE* stream_;
  Look look_;
  std::size_t all_;
  std::size_t told_ = 0;
  bool drawn_ = false;
  std::string shown_;  // as it was drawn
  std::map<std::string, std::string> at_;
};

}  // namespace hilmark
