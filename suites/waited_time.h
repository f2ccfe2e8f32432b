// How much of a case's time was waiting that nobody could have saved.
#pragma once

#include <mutex>
#include <utility>
#include <vector>

#include "harness/base/clock.h"

namespace hilmark::suites {

/// The length of a union of intervals. Thread-safe.
class WaitedTime {
 public:
  /// Bounded by what is kept: beyond, intervals are not counted.
  static constexpr std::size_t max_intervals = 100'000;

  void add(SteadyTime from, SteadyTime to);
  void clear();
  [[nodiscard]] Milliseconds total() const;

 private:
  mutable std::mutex mutex_;
  std::vector<std::pair<SteadyTime, SteadyTime>> intervals_;
};

}  // namespace hilmark::suites
