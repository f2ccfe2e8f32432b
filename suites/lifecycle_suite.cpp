// lifecycle: from the first boot to the last day.
#include "suites/areas.h"
#include "suites/bench.h"

namespace hilmark::suites {
namespace {

// Resets the unit on a healthy endpoint and waits for a CONNACK; the rig's own client is served at the same time.
// Assures that every other case starts from firmware that can connect at all, so that silence has one explanation.
// Fails firmware whose network task dies at boot, or that closes the connection before a ClientHello.
void connects_after_a_reset(Bench& bench) {
  const std::uint64_t mark = bench.reset_unit();
  bench.prove_endpoint_healthy();
  const EvidencePtr served = bench.await_served(mark, bench.connect_limit());
  if (served) {
    bench.opportunity(served);
    return;
  }
  bench.prove_endpoint_healthy();
  const auto attempts = bench.seen("tcp_accepted", mark);
  for (const EvidencePtr& attempt : attempts) bench.opportunity(attempt);
  if (attempts.empty() && bench.shows_life()) {
    bench.opportunity(bench.remark("life", {{"what", "its console, but not one connection"}}));
  }
  throw ClaimFailed(
      fmt::format("no CONNACK within {} of a reset, on an endpoint that served the rig's own client; "
                  "the unit made {} connection(s)",
                  in_ms(bench.connect_limit()), attempts.size()));
}

}  // namespace

void add_lifecycle_cases(std::vector<Case>& cases) {
  cases.push_back(
      {.id = "LIFE-06",
       .area = "lifecycle",
       .title = "connects after a reset",
       .demand = "on a healthy endpoint the unit completes TLS and CONNECT within the connect limit of a reset",
       .source = "house rule H1",
       .needs = {Capability::reset},
       .defects = {"dead-on-arrival"},
       .opportunity = "a sign of life (a connection, or its console)",
       .start = Case::Start::as_it_is,
       .body = connects_after_a_reset,
       .file = __FILE__,
       .line = __LINE__});
}

}  // namespace hilmark::suites
