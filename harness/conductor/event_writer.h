// A worker's events on their way to the parent.
#pragma once

#include <mutex>
#include <string>

#include <boost/json/object.hpp>

#include "harness/base/clock.h"

namespace hilmark {

/// Thread-safe. Stamps each event, tells evidence of which case it is, and writes it as one line. Once the parent has
/// gone nothing is written: it takes the worker with it.
class EventWriter {
 public:
  /// Longer events lose their data: the parent reads bounded lines.
  static constexpr std::size_t max_event_bytes = 1U << 20;

  EventWriter(int fd, const Clock& clock) : fd_(fd), clock_(clock) {}
  void write(boost::json::object event);

 private:
  int fd_;
  const Clock& clock_;
  std::mutex mutex_;
  std::string case_;  // that runs now
  std::int64_t round_ = 0;
};

}  // namespace hilmark
