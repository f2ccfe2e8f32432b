#include "suites/refusals.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "suites/attempts.h"
#include "suites/matchers.h"

namespace hilmark::suites {
namespace {

/// The next refusal after `mark`, which must be for the reason that was arranged.
EvidencePtr next_refusal(Bench& bench, const RefusalSeries& series, std::uint64_t mark, Milliseconds limit) {
  EvidencePtr refusal = bench.await_kind("refused", mark, limit);
  if (!refusal || refusal->text("reason") == series.expected_reason) return refusal;
  const std::string asked = refusal->text("sni");
  if (!asked.empty() && !same_name(asked, bench.configured_name())) {
    throw Inconclusive(fmt::format("it was told the name {}, and came to {} (evidence #{})", bench.configured_name(),
                                   asked, refusal->number));
  }
  throw RigTrouble(
      Error{ErrorKind::rig, fmt::format("refused for \"{}\" where \"{}\" was arranged (evidence #{})",
                                        refusal->text("reason"), series.expected_reason, refusal->number)});
}

/// How often it was refused until the cure is due.
int meet_refusals(Bench& bench, const RefusalSeries& series, std::uint64_t start) {
  const bool holds = series.hold.count() > 0;
  // It may take as long as any unit may to come at all.
  const Milliseconds first_limit = std::max({bench.connect_limit(), bench.reconnect_limit(), series.hold});
  const SteadyTime begun = bench.time();
  EvidencePtr refusal = next_refusal(bench, series, start, first_limit);
  if (!refusal) throw Inconclusive(fmt::format("the unit did not come to be refused within {}", in_ms(first_limit)));
  bench.opportunity(refusal);
  const Milliseconds most = holds ? series.hold : bench.since(begun) + series.at_most;
  int refused = 1;
  while (holds || refused < series.refusals) {
    const Milliseconds left = most - bench.since(begun);
    if (left.count() <= 0) break;
    refusal = next_refusal(bench, series, refusal->number, left);
    if (!refusal) break;
    bench.opportunity(refusal);
    ++refused;
  }
  return refused;
}

}  // namespace

void expect_served_after_refusals(Bench& bench, const RefusalSeries& series) {
  const std::uint64_t start = bench.now();
  series.begin();
  const int refused = meet_refusals(bench, series, start);
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
