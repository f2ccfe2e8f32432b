// Time is handed in, never reached for.
#pragma once

#include <chrono>
#include <mutex>
#include <string>

namespace hilmark {

using Milliseconds = std::chrono::milliseconds;
using SteadyTime = std::chrono::steady_clock::time_point;
using WallTime = std::chrono::system_clock::time_point;

class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual SteadyTime now() const = 0;  ///< monotonic: for deadlines and durations
  [[nodiscard]] virtual WallTime wall() const = 0;   ///< for stamps and certificates
};

class SystemClock final : public Clock {
 public:
  [[nodiscard]] SteadyTime now() const override { return std::chrono::steady_clock::now(); }
  [[nodiscard]] WallTime wall() const override { return std::chrono::system_clock::now(); }
};

/// A clock for tests: stands still until advanced. Thread-safe.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(WallTime wall) : wall_(wall) {}
  [[nodiscard]] SteadyTime now() const override;
  [[nodiscard]] WallTime wall() const override;
  void advance(Milliseconds by);

 private:
  mutable std::mutex mutex_;
  SteadyTime now_{};
  WallTime wall_;
};

/// An instant by which something must have happened. Cheap to copy; the clock must outlive it.
class Deadline {
 public:
  Deadline(const Clock& clock, Milliseconds from_now) : clock_(&clock), at_(clock.now() + from_now), span_(from_now) {}
  [[nodiscard]] bool expired() const { return clock_->now() >= at_; }
  [[nodiscard]] Milliseconds left() const;  ///< never negative
  [[nodiscard]] Milliseconds span() const { return span_; }
  [[nodiscard]] SteadyTime at() const { return at_; }
  /// The earlier of this deadline and `limit` from now.
  [[nodiscard]] Deadline sooner(Milliseconds limit) const;

 private:
  const Clock* clock_;
  SteadyTime at_;
  Milliseconds span_;
};

/// "2026-01-31T23:59:59.123Z"
[[nodiscard]] std::string iso8601(WallTime time);

}  // namespace hilmark
