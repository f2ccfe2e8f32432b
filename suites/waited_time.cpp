#include "suites/waited_time.h"

#include <algorithm>

namespace hilmark::suites {

void WaitedTime::add(SteadyTime from, SteadyTime to) {
  const std::lock_guard lock(mutex_);
  if (intervals_.size() < max_intervals && from < to) intervals_.emplace_back(from, to);
}

void WaitedTime::clear() {
  const std::lock_guard lock(mutex_);
  intervals_.clear();
}

Milliseconds WaitedTime::total() const {
  std::vector<std::pair<SteadyTime, SteadyTime>> sorted;
  {
    const std::lock_guard lock(mutex_);
    sorted = intervals_;
  }
  std::sort(sorted.begin(), sorted.end());
  SteadyTime::duration sum{0};
  SteadyTime covered = SteadyTime::min();
  for (const auto& [from, to] : sorted) {
    if (to <= covered) continue;
    sum += to - std::max(from, covered);
    covered = to;
  }
  return std::chrono::duration_cast<Milliseconds>(sum);
}

}  // namespace hilmark::suites
