// The machine's wall clock, by which certificates are made and judged: set while units are judged, it makes good ones
// bad.
#pragma once

#include <cstdlib>
#include <optional>
#include <string>

#include <fmt/format.h>

#include "harness/base/clock.h"

namespace hilmark::suites {

class WallClockWatch {
 public:
  /// More than clocks are slewed by in a case.
  static constexpr Milliseconds most{60'000};

  /// `clock` must outlive it.
  explicit WallClockWatch(const Clock& clock) : clock_(clock), steady_(clock.now()), wall_(clock.wall()) {}

  /// What happened to it since it was asked last, if that may have harmed.
  [[nodiscard]] std::optional<std::string> trouble() {
    const SteadyTime steady = clock_.now();
    const WallTime wall = clock_.wall();
    const auto jump = std::chrono::duration_cast<Milliseconds>((wall - wall_) - (steady - steady_));
    const std::string before = iso8601(wall_ + std::chrono::duration_cast<WallTime::duration>(steady - steady_));
    steady_ = steady;
    wall_ = wall;
    if (std::abs(jump.count()) <= most.count()) return std::nullopt;
    return fmt::format(
        "this machine's clock was set by {} s, from {} to {}; certificates are judged by it, so keep it "
        "as it is while units are judged",
        jump.count() / 1000, before, iso8601(wall));
  }

 private:
  const Clock& clock_;
  SteadyTime steady_;
  WallTime wall_;
};

}  // namespace hilmark::suites
