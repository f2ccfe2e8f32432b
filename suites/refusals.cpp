#include "suites/refusals.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "suites/attempts.h"
#include "suites/matchers.h"

namespace hilmark::suites {
namespace {

/// It may take as long as any unit may to come at all.
Milliseconds first_refusal_limit(const Bench& bench, const RefusalSeries& series) {
  return std::max({bench.connect_limit(), bench.reconnect_limit(), series.hold});
}

/// Whether the refusal rests on what was arranged: the unit came with the name and the certificate that it was given.
bool came_as_arranged(Bench& bench, const Evidence& refusal) {
  return same_name(refusal.text("sni"), bench.configured_name()) &&
         refusal.text("certificate_id") == bench.certificate_id() && refusal.text("reason") != "malformed_connect";
}

/// The next refusal after `mark`, which must be for the reason that was arranged.
EvidencePtr next_refusal(Bench& bench, const std::string& expected_reason, std::uint64_t mark, Milliseconds limit) {
  EvidencePtr refusal = bench.await_kind("refused", mark, limit);
  if (!refusal || refusal->text("reason") == expected_reason) return refusal;
  const std::string told = fmt::format("refused for \"{}\" where \"{}\" was arranged (evidence #{})",
                                       refusal->text("reason"), expected_reason, refusal->number);
  if (came_as_arranged(bench, *refusal)) throw RigTrouble(Error{ErrorKind::rig, told});
  const std::string asked = refusal->text("sni");
  throw Inconclusive(fmt::format("it came with {} where it was given {}: {}", asked.empty() ? "no name" : asked,
                                 bench.configured_name(), told));
}

}  // namespace

int meet_refusals(Bench& bench, const RefusalSeries& series, std::uint64_t start) {
  const bool holds = series.hold.count() > 0;
  const SteadyTime begun = bench.time();
  EvidencePtr refusal = next_refusal(bench, series.expected_reason, start, first_refusal_limit(bench, series));
  if (!refusal) return 0;
  bench.opportunity(refusal);
  const Milliseconds most = holds ? series.hold : bench.since(begun) + series.at_most;
  int refused = 1;
  while (holds || refused < series.refusals) {
    const Milliseconds left = most - bench.since(begun);
    if (left.count() <= 0) break;
    refusal = next_refusal(bench, series.expected_reason, refusal->number, left);
    if (!refusal) break;
    bench.opportunity(refusal);
    ++refused;
  }
  return refused;
}

void expect_served_after_refusals(Bench& bench, const RefusalSeries& series) {
  const std::uint64_t start = bench.now();
  series.begin();
  const int refused = meet_refusals(bench, series, start);
  if (refused == 0) {
    throw Inconclusive(
        fmt::format("the unit did not come to be refused within {}", in_ms(first_refusal_limit(bench, series))));
  }
  if (series.hold.count() > 0) expect_no_storm(bench, start);
  const std::uint64_t cured = bench.now();
  series.cure();
  const EvidencePtr served = bench.await_registered_and_served(cured, bench.reconnect_limit());
  bench.rests_on(served);
  EXPECT_TRUE(served) << "refused " << refused << " time(s) "
                      << (series.form == cloud::RefuseForm::alert ? "by a fatal alert" : "by a close")
                      << ", then not served within " << in_ms(bench.reconnect_limit())
                      << " of the cure; attempts seen since: " << bench.seen("tcp_accepted", cured).size();
}

}  // namespace hilmark::suites
