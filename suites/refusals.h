// "Refused N times in a form, then served": what MODE-04, MODE-05, PROV-08, LIFE-01 and MQTT-04 have in common.
#pragma once

#include <functional>
#include <string>

#include "suites/bench.h"

namespace hilmark::suites {

struct RefusalSeries {
  cloud::RefuseForm form = cloud::RefuseForm::close_after_connect;
  std::string expected_reason;  ///< routing's reason; another one is the rig's trouble
  int refusals = 3;             ///< the cure comes after this many, or `at_most` after the first
  Milliseconds at_most{60'000};
  /// Unless zero: it is refused for all this time, however often it comes, and must not make a storm of it.
  Milliseconds hold{0};
  std::function<void()> begin;  ///< makes the cloud refuse, and the unit try
  std::function<void()> cure;   ///< makes the cloud accept
};

/// Meets the unit's refusals since `start` until the cure is due; how many there were, 0 if it
/// did not come at all. Ends the case as inconclusive if it comes with another name or certificate than it was given
/// and is refused for that; as the rig's trouble if it is refused for another reason than was arranged.
int meet_refusals(Bench& bench, const RefusalSeries& series, std::uint64_t start);

/// Claims that the unit, refused so, is served within the reconnect limit of the cure, with nothing done to it
/// (where the cure has it register itself first, each of its two connections has that limit).
/// Opportunity: a refusal that reached it.
void expect_served_after_refusals(Bench& bench, const RefusalSeries& series);

}  // namespace hilmark::suites
