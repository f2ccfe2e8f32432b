// mqtt: the session over the connection.
#include <gtest/gtest.h>

#include "suites/areas.h"
#include "suites/bench.h"

namespace hilmark::suites {
namespace {

// Resets the unit and reads the first packet of its first session.
// Assures that any broker can read it, a strict one as well.
// Fails firmware that sets a reserved bit, miscounts the remaining length, or sends something before CONNECT.
void connect_is_first_and_well_formed(Bench& bench) {
  const std::uint64_t mark = bench.reset_unit();
  const EvidencePtr first = bench.await(
      [](const Evidence& piece) {
        return piece.text("origin") == "unit" && (piece.kind == "mqtt_connect" || piece.kind == "mqtt_not_connect");
      },
      mark, bench.connect_limit());
  if (!first) throw Inconclusive("no MQTT packet within " + in_ms(bench.connect_limit()) + " of a reset");
  bench.opportunity(first);
  ASSERT_EQ(first->kind, "mqtt_connect") << "the first packet is not a CONNECT: " << first->text("raw");
  EXPECT_TRUE(first->flag("well_formed"))
      << "malformed CONNECT: " << first->text("fault") << " (evidence #" << first->number << ")";
  if (first->flag("well_formed")) {
    EXPECT_EQ(first->text("client_id"), bench.client_id()) << "not the client id that the policy allows";
  }
}

// Ends the served unit's connection in good order (close_notify, then FIN), and by a TCP reset.
// Assures that no end of a connection is the end of the device; all cases that make it connect anew stand on this.
// Fails firmware that hangs, crashes or rests once it was served.
void comes_back_after_an_end(Bench& bench) {
  bench.opportunity(bench.serve_anew());
  for (const bool by_reset : {false, true}) {
    const char* what = by_reset ? "a TCP reset" : "close_notify and FIN";
    const std::uint64_t mark = bench.drop_connections(by_reset);
    const EvidencePtr served = bench.await_served(mark, bench.reconnect_limit());
    ASSERT_TRUE(served) << "after " << what << " it was not served again within " << in_ms(bench.reconnect_limit())
                        << "; connections since: " << bench.seen("tcp_accepted", mark).size();
    bench.rests_on(served);
  }
}

}  // namespace

void add_return_case(std::vector<Case>& cases) {
  cases.push_back({.id = "MQTT-10",
                   .area = "mqtt",
                   .title = "comes back after its connection ended",
                   .demand = "after a TCP reset, and after close_notify and FIN, it is connected anew within the "
                             "reconnect limit",
                   .source = "house rule H1",
                   .needs = {Capability::reset},
                   .defects = {"no-reconnect", "hang-when-served", "crash-when-served"},
                   .depends_on = {"LIFE-06"},
                   .opportunity = "a served connection",
                   .start = Case::Start::as_it_is,
                   .body = comes_back_after_an_end,
                   .file = __FILE__,
                   .line = __LINE__});
}

void add_mqtt_cases(std::vector<Case>& cases) {
  cases.push_back(
      {.id = "MQTT-01",
       .area = "mqtt",
       .title = "CONNECT comes first and is well-formed",
       .demand = "CONNECT is the first packet, well-formed (3.1.1 or 5), with a client id that the policy allows",
       .source = "MQTT 3.1.1 section 3.1, MQTT-3.1.0-1",
       .needs = {Capability::reset},
       .defects = {"mqtt-malformed"},
       .opportunity = "a first MQTT packet",
       .start = Case::Start::as_it_is,
       .body = connect_is_first_and_well_formed,
       .file = __FILE__,
       .line = __LINE__});
}

}  // namespace hilmark::suites
