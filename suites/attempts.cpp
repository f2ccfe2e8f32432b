#include "suites/attempts.h"

#include <algorithm>

#include <gtest/gtest.h>

namespace hilmark::suites {

std::size_t most_within(const std::vector<EvidencePtr>& attempts, Milliseconds window) {
  std::size_t most = 0;
  std::size_t first = 0;
  for (std::size_t last = 0; last < attempts.size(); ++last) {
    while (attempts[last]->at - attempts[first]->at > window) ++first;
    most = std::max(most, last - first + 1);
  }
  return most;
}

std::optional<Milliseconds> longest_interval(const std::vector<EvidencePtr>& attempts, std::size_t intervals) {
  if (attempts.size() < 2 || intervals == 0) return std::nullopt;
  SteadyTime::duration longest{0};
  for (std::size_t i = attempts.size() - std::min(intervals, attempts.size() - 1); i < attempts.size(); ++i) {
    longest = std::max(longest, attempts[i]->at - attempts[i - 1]->at);
  }
  return std::chrono::duration_cast<Milliseconds>(longest);
}

bool has_ended(const Evidence& connack, const std::vector<EvidencePtr>& seen) {
  return std::any_of(seen.begin(), seen.end(), [&](const EvidencePtr& piece) {
    const bool ends_it = piece->kind == "closed" || (piece->kind == "mqtt_denied" && piece->text("answer") == "close");
    return ends_it && piece->connection == connack.connection;
  });
}

bool is_served_after(const Evidence& met, const std::vector<EvidencePtr>& seen) {
  return std::any_of(seen.begin(), seen.end(), [&](const EvidencePtr& piece) {
    if (piece->kind != "connack" || has_ended(*piece, seen)) return false;
    if (piece->number == met.number) return true;
    return met.connection == 0 ? piece->number > met.number : piece->connection > met.connection;
  });
}

void expect_no_storm(Bench& bench, std::uint64_t after) {
  const auto attempts = bench.seen("tcp_accepted", after);
  const Milliseconds window = bench.info().timing.storm_window;
  const std::size_t in_window = most_within(attempts, window);
  const std::size_t in_six = most_within(attempts, 6 * window);
  if (in_window > attempts_worth_a_warning) {
    bench.warn(fmt::format("{} attempts within {}; the service takes one CONNECT a second of a client", in_window,
                           in_ms(window)));
  }
  EXPECT_LE(in_window, most_attempts_in_window) << "attempts within " << in_ms(window) << " of each other";
  EXPECT_LE(in_six, most_attempts_in_six_windows) << "attempts within " << in_ms(6 * window) << " of each other";
  if (!attempts.empty()) bench.rests_on(attempts.back());
}

}  // namespace hilmark::suites
