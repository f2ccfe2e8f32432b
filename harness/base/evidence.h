// What was seen, and where. The endpoint and the drivers record it, the suites judge by it, the reports show it.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/object.hpp>

#include "harness/base/clock.h"

namespace hilmark {

/// One observation. Kinds and their data are listed in reports/events.md.
struct Evidence {
  std::uint64_t number = 0;  ///< 1, 2, 3 … within one worker; verdicts name it
  SteadyTime at{};
  WallTime wall{};
  std::string source;            ///< "endpoint", "console", "usb", "cloud", "rig"
  std::string kind;              ///< "client_hello", "mqtt_connect", "console_line" …
  std::uint64_t connection = 0;  ///< the endpoint's number of the TCP connection; 0: none
  boost::json::object data;

  /// A member of `data` as text; empty if it is not there or no string.
  [[nodiscard]] std::string text(std::string_view key) const;
  [[nodiscard]] std::int64_t number_of(std::string_view key) const;  ///< 0 if it is not there or no integer
  [[nodiscard]] bool flag(std::string_view key) const;               ///< false if it is not there or no boolean
};

using EvidencePtr = std::shared_ptr<const Evidence>;

/// A log that many threads add to and that others wait on. Its listeners are called in order, on the adding thread.
class EvidenceLog {
 public:
  /// At most this many pieces are kept; the oldest go first.
  static constexpr std::size_t max_kept = 100'000;

  explicit EvidenceLog(const Clock& clock, std::size_t keep = max_kept) : clock_(clock), keep_(keep) {}
  EvidenceLog(const EvidenceLog&) = delete;
  EvidenceLog& operator=(const EvidenceLog&) = delete;

  /// Called for each piece of evidence, in order; replaces the listener before. Once it has returned, that one is not
  /// called any more, so that it may go.
  void on_added(std::function<void(const EvidencePtr&)> listener);

  /// What a unit says passes the screen before anybody keeps or tells it: what comes out is printable. Replaces the one
  /// before, which is not called any more once this has returned; none: all is told. It may add evidence.
  using Screen = std::function<std::string(std::string_view said)>;
  void screen_speech(Screen screen);
  /// What a unit said, as it may be kept.
  [[nodiscard]] std::string speech(std::string_view said) const;

  EvidencePtr add(std::string source, std::string kind, boost::json::object data, std::uint64_t connection = 0);

  /// The number of the newest piece, 0 if there is none: "from now on" is `after = newest()`.
  [[nodiscard]] std::uint64_t newest() const;

  using Matcher = std::function<bool(const Evidence&)>;
  /// The first piece numbered above `after` that matches; waits for it until the deadline.
  [[nodiscard]] EvidencePtr wait_for(const Matcher& matches, std::uint64_t after, const Deadline& deadline) const;
  /// All pieces numbered above `after` that match.
  [[nodiscard]] std::vector<EvidencePtr> all(const Matcher& matches, std::uint64_t after = 0) const;
  /// Forgets pieces numbered up to and including `through`, so that a flooding device cannot fill the memory.
  void forget(std::uint64_t through);

 private:
  const Clock& clock_;
  const std::size_t keep_;
  std::function<void(const EvidencePtr&)> listener_;
  mutable std::mutex screen_mutex_;
  Screen screen_;
  mutable std::mutex mutex_;
  mutable std::condition_variable added_;
  std::deque<EvidencePtr> kept_;
  std::uint64_t newest_ = 0;
};

}  // namespace hilmark
