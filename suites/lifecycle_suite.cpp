// lifecycle: from the first boot to the last day.
#include "suites/areas.h"
#include "suites/attempts.h"
#include "suites/bench.h"
#include "suites/matchers.h"
#include "suites/name_questions.h"
#include "suites/refusals.h"

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
  const auto questions = bench.all(of_questions("dns_question"), mark);
  for (const EvidencePtr& question : questions) bench.opportunity(question);
  if (attempts.empty() && questions.empty() && bench.shows_life()) {
    bench.opportunity(bench.remark("life", {{"what", "its console, but not one connection"}}));
  }
  throw ClaimFailed(
      fmt::format("no CONNACK within {} of a reset, on an endpoint that served the rig's own client; "
                  "the unit made {} connection(s) and asked {} DNS question(s)",
                  in_ms(bench.connect_limit()), attempts.size(), questions.size()));
}

// The served unit's certificate is made INACTIVE, and ACTIVE again after a minute; then REVOKED (which the service
// never takes back), deleted and registered anew. Assures that an account can lock a device out and let it in again,
// and is not flooded by it meanwhile. Fails firmware that tries again without a pause, or that gives up after some
// refusals.
void locked_out_and_let_in(Bench& bench) {
  const cloud::Place home = bench.account_a();
  for (const auto status : {cloud::CertificateStatus::inactive, cloud::CertificateStatus::revoked}) {
    const bool revoked = status == cloud::CertificateStatus::revoked;
    bench.bring_to_served();
    expect_served_after_refusals(bench, {.expected_reason = revoked ? "certificate_revoked" : "certificate_inactive",
                                         .hold = refusal_time(bench),
                                         .begin = [&] { bench.set_certificate_status(home, status); },
                                         .cure =
                                             [&] {
                                               if (!revoked)
                                                 return bench.set_certificate_status(home,
                                                                                     cloud::CertificateStatus::active);
                                               // Its next connection must not register it before the rig does.
                                               bench.set_auto_registration(home, false);
                                               bench.delete_certificate(home);
                                               bench.register_certificate(home);
                                               bench.set_auto_registration(home, true);
                                             }});
    if (testing::Test::HasFailure()) return;
  }
}

/// The newest CONNACK, if its connection has not ended.
EvidencePtr open_connection(Bench& bench) {
  const auto served = bench.seen("connack", 0);
  if (served.empty()) return nullptr;
  return has_ended(*served.back(), bench.all(of_unit, served.back()->number)) ? nullptr : served.back();
}

/// The policy is back: the unit publishes again, or is served again. One that was served meanwhile and has nothing to
/// say yet is served still.
EvidencePtr await_recovery(Bench& bench, std::uint64_t cured) {
  const auto recovers = [](const Evidence& piece) {
    return of_unit(piece) && (piece.kind == "publish" || piece.kind == "connack");
  };
  const EvidencePtr recovered = bench.await(recovers, cured, bench.reconnect_limit());
  return recovered ? recovered : open_connection(bench);
}

// The served unit may connect, but no longer publish: each publication ends its connection.
// Assures that a mistake in a policy is not answered with a storm, and is over when it is mended.
// Fails firmware that connects again without a pause because it was served meanwhile.
void not_allowed_to_publish(Bench& bench) {
  const cloud::Place home = bench.account_a();
  const std::uint64_t mark = bench.now();
  bench.allow_only_to_connect(home);
  const EvidencePtr denied = bench.await_kind("mqtt_denied", mark, bench.connect_limit());
  if (!denied) throw Inconclusive("it published nothing within " + in_ms(bench.connect_limit()));
  bench.opportunity(denied);
  bench.watch(refusal_time(bench));
  expect_no_storm(bench, denied->number);
  const std::uint64_t cured = bench.now();
  bench.allow_all_again(home);
  const EvidencePtr served = await_recovery(bench, cured);
  bench.rests_on(served);
  EXPECT_TRUE(served) << "not served within " << in_ms(bench.reconnect_limit())
                      << " of the policy's return; attempts seen since: " << bench.seen("tcp_accepted", cured).size();
}

}  // namespace

void add_control_of_all(std::vector<Case>& cases) {
  cases.push_back(
      {.id = "LIFE-06",
       .area = "lifecycle",
       .title = "connects after a reset",
       .demand = "on a healthy endpoint the unit completes TLS and CONNECT within the connect limit of a reset",
       .source = "house rule H1",
       .needs = {Capability::reset},
       .defects = {"dead-on-arrival", "never-connects"},
       .opportunity = "a sign of life (a connection, a question for the endpoint's address, or its console)",
       .start = Case::Start::as_it_is,
       .body = connects_after_a_reset,
       .file = __FILE__,
       .line = __LINE__});
}

void add_lifecycle_cases(std::vector<Case>& cases) {
  cases.push_back({.id = "LIFE-01",
                   .area = "lifecycle",
                   .title = "locked out, then let in",
                   .demand =
                       "its certificate made INACTIVE while connected, then ACTIVE; and REVOKED, then registered anew: "
                       "dropped, refused without a storm of attempts, served within the reconnect limit of the change",
                   .source = "the service's rules for certificate status; house rule H1",
                   .needs = {Capability::reset},
                   .defects = {"reconnect-storm", "give-up-after-refusal"},
                   .depends_on = {"LIFE-06", "SNI-02", "SNI-03", "MODE-01"},
                   .opportunity = "a refusal that reached the unit",
                   .waits = true,
                   .body = locked_out_and_let_in,
                   .file = __FILE__,
                   .line = __LINE__});
  cases.push_back(
      {.id = "LIFE-02",
       .area = "lifecycle",
       .title = "not allowed to publish, and no storm of it",
       .demand =
           "policy taken away: the disallowed action ends the connection; the device recovers without a tight loop",
       .source = "the service's rules for policies; house rule H1",
       .needs = {Capability::reset, Capability::publish},
       .defects = {"reconnect-storm"},
       .depends_on = {"LIFE-06", "SNI-02", "SNI-03", "MODE-01"},
       .opportunity = "a publication that was denied",
       .waits = true,
       .body = not_allowed_to_publish,
       .file = __FILE__,
       .line = __LINE__});
}

}  // namespace hilmark::suites
