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
