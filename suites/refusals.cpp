#include "suites/refusals.h"

#include <gtest/gtest.h>

#include "suites/attempts.h"

namespace hilmark::suites {

void expect_served_after_refusals(Bench& bench, const RefusalSeries& series) {
  const std::uint64_t start = bench.now();
  series.begin();
  int refused = 0;
  std::uint64_t mark = start;
  const SystemClock clock;
  const bool holds = series.hold.count() > 0;
  const Deadline patience(clock, holds ? series.hold : series.at_most);
  while ((holds || refused < series.refusals) && !patience.expired()) {
    const EvidencePtr refusal = bench.await_kind("refused", mark, patience.left());
    if (!refusal) break;
    if (refusal->text("reason") != series.expected_reason) {
      throw RigTrouble(
          Error{ErrorKind::rig, fmt::format("refused for \"{}\" where \"{}\" was arranged (evidence #{})",
                                            refusal->text("reason"), series.expected_reason, refusal->number)});
    }
    bench.opportunity(refusal);
    mark = refusal->number;
    ++refused;
  }
  if (refused == 0) {
    throw Inconclusive(
        fmt::format("the unit did not come to be refused within {}", in_ms(holds ? series.hold : series.at_most)));
  }
  if (holds) expect_no_storm(bench, start);
  const std::uint64_t cured = bench.now();
  series.cure();
  const EvidencePtr served = bench.await_served(cured, bench.reconnect_limit());
  bench.rests_on(served);
  EXPECT_TRUE(served) << "refused " << refused << " time(s) "
                      << (series.form == cloud::RefuseForm::alert ? "by a fatal alert" : "by a close")
                      << ", then not served within " << in_ms(bench.reconnect_limit())
                      << " of the cure; attempts seen since: " << bench.seen("tcp_accepted", cured).size();
}

}  // namespace hilmark::suites
