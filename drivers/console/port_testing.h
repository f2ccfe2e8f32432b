// What a port told, for tests that wait for it.
#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>

#include "drivers/console/console_port.h"

namespace hilmark {

class PortListener {
 public:
  static constexpr Milliseconds patience{10'000};

  /// The listener must outlive the port.
  [[nodiscard]] ConsolePort::Callbacks callbacks() {
    return {[this](ByteView data) { note([&] { said_ += as_text(data); }); },
            [this](const Error& error) {
              note([&] {
                ++ends_;
                end_ = error;
              });
            }};
  }
  /// All that came, once it is so many octets, or what came until patience ends.
  [[nodiscard]] std::string heard(std::size_t octets) {
    std::unique_lock lock(mutex_);
    (void)changed_.wait_for(lock, patience, [&] { return said_.size() >= octets; });
    return said_;
  }
  /// How the port ended by itself, if it did within the test's patience.
  [[nodiscard]] std::optional<Error> ended() {
    std::unique_lock lock(mutex_);
    (void)changed_.wait_for(lock, patience, [&] { return end_.has_value(); });
    return end_;
  }
  [[nodiscard]] int ends() {
    const std::lock_guard lock(mutex_);
    return ends_;
  }

 private:
  template <class Change>
  void note(Change change) {
    const std::lock_guard lock(mutex_);
    change();
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::string said_;
  std::optional<Error> end_;
  int ends_ = 0;
};

}  // namespace hilmark
