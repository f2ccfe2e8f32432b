// What a unit says, as evidence; of a unit that floods its console only as much as the rig can keep.
#pragma once

#include <string>

#include "harness/base/evidence.h"

namespace hilmark {

/// Takes lines from one thread at a time and makes each evidence of source "console", while the unit says no more than
/// lines_per_second and octets_per_second on average, or a burst of so many seconds' worth. What is beyond is counted
/// instead, and told as "console"/"console_flood" {lines, octets} when the unit is within its bounds again.
class ConsoleRecorder {
 public:
  static constexpr double lines_per_second = 200;
  static constexpr double octets_per_second = 64 * 1024;
  static constexpr double burst_seconds = 3;

  /// Both must outlive it.
  ConsoleRecorder(const Clock& clock, EvidenceLog& evidence);

  /// `raw`: the line with its control sequences, where that is another; both as they may be kept.
  void add(const char* kind, std::string text, std::string raw = {});

 private:
  /// Credit that time brings, and lines use up.
  struct Budget {
    double rate;
    double credit;
    void bring(double seconds);
  };

  const Clock& clock_;
  EvidenceLog& evidence_;
  SteadyTime last_;
  Budget lines_{lines_per_second, lines_per_second* burst_seconds};
  Budget octets_{octets_per_second, octets_per_second* burst_seconds};
  bool flooded_ = false;
  std::uint64_t lost_lines_ = 0;
  std::uint64_t lost_octets_ = 0;
};

}  // namespace hilmark
