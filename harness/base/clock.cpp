#include "harness/base/clock.h"

#include <algorithm>

#include <fmt/chrono.h>

namespace hilmark {

SteadyTime ManualClock::now() const {
  const std::lock_guard lock(mutex_);
  return now_;
}

WallTime ManualClock::wall() const {
  const std::lock_guard lock(mutex_);
  return wall_;
}

void ManualClock::advance(Milliseconds by) {
  const std::lock_guard lock(mutex_);
  now_ += by;
  wall_ += by;
}

Milliseconds Deadline::left() const {
  // Rounded up, so that a poll() of what is left never spins through the last millisecond.
  const auto remaining = std::chrono::ceil<Milliseconds>(at_ - clock_->now());
  return std::max(remaining, Milliseconds{0});
}

Deadline Deadline::sooner(Milliseconds limit) const { return {*clock_, std::min(left(), limit)}; }

std::string iso8601(WallTime time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  const auto millis = std::chrono::duration_cast<Milliseconds>(time - seconds).count();
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(std::chrono::system_clock::to_time_t(seconds)), millis);
}

}  // namespace hilmark
