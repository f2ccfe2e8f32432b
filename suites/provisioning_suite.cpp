// provisioning: the identity that a device is given once, and what it does with it.
#include "suites/areas.h"
#include "suites/attempts.h"
#include "suites/bench.h"
#include "suites/matchers.h"
#include "suites/refusals.h"

namespace hilmark::suites {
namespace {

using cloud::CertificateMode;

/// The unit's Certificate message in its first connection after a reset: `client_certificates`, or
/// `no_client_certificate` where that is empty.
EvidencePtr certificate_message_after_reset(Bench& bench) {
  const std::uint64_t mark = bench.reset_unit();
  EvidencePtr seen = bench.await(
      [](const Evidence& piece) {
        return piece.text("origin") == "unit" &&
               (piece.kind == "client_certificates" || piece.kind == "no_client_certificate");
      },
      mark, bench.connect_limit());
  if (!seen)
    throw Inconclusive("no client certificate was asked for and answered within " + in_ms(bench.connect_limit()));
  return seen;
}

bool is_empty(const EvidencePtr& certificate_message) { return certificate_message->kind == "no_client_certificate"; }

// The unit connects where its certificate is unknown, so that registration goes by the chain that it presents.
// Assures that any stack can follow the chain: GnuTLS, mbedTLS and wolfSSL refuse one that is out of order.
// Fails firmware that sends its issuers in the order in which it happened to store them.
void chain_in_order(Bench& bench) {
  bench.lay_out({{bench.account_a(), CertificateMode::default_mode, false}});
  const EvidencePtr message = certificate_message_after_reset(bench);
  if (is_empty(message)) throw NotApplicable("it presents no certificate, which PROV-05 judges");
  bench.opportunity(message);
  const Presented chain = Presented::from(message);
  EXPECT_THAT(chain, InOrder());
  bench.note(chain.count == 1 ? "it presents its leaf alone" : fmt::format("it presents {} certificates", chain.count));
}

// The unit connects; the endpoint looks at its certificate and at the signature that proves its key.
// Assures that the identity in use is the one that was installed, and that the key belongs to it.
// Fails firmware whose key slot and certificate slot got out of step.
void presents_its_certificate_and_key(Bench& bench) {
  const EvidencePtr message = certificate_message_after_reset(bench);
  bench.opportunity(message);
  if (is_empty(message)) {
    throw ClaimFailed(fmt::format("evidence #{}: the unit presented no certificate", message->number));
  }
  const Presented chain = Presented::from(message);
  EXPECT_EQ(chain.certificate_id, bench.certificate_id()) << "not the certificate that the rig installed";
  const EvidencePtr end = bench.await(
      [&](const Evidence& piece) {
        return piece.connection == chain.evidence->connection &&
               (piece.kind == "handshake_done" || piece.kind == "handshake_failed");
      },
      chain.evidence->number, bench.info().timing.handshake);
  if (!end) throw Inconclusive("the handshake neither completed nor failed");
  bench.rests_on(end);
  EXPECT_FALSE(end->flag("signature_bad"))
      << "CertificateVerify does not verify with the certificate's key (evidence #" << end->number << ")";
  if (end->kind == "handshake_failed" && !end->flag("signature_bad")) {
    throw Inconclusive(
        fmt::format("the handshake failed for another reason: {} (evidence #{})", end->text("reason"), end->number));
  }
}

/// At once, and as long after the event as somebody who listens to it may take; a board that declares a shorter watch
/// is kept waiting no longer than that.
std::vector<Milliseconds> activation_delays(const Bench& bench) {
  std::vector<Milliseconds> delays = {Milliseconds{0}};
  for (const Milliseconds delay : {Milliseconds{10'000}, Milliseconds{60'000}}) {
    if (const Milliseconds bounded = std::min(delay, bench.watch_window()); bounded > delays.back()) {
      delays.push_back(bounded);
    }
  }
  return delays;
}

// The unit's first connection, where nobody but a listener to the registration's event activates its certificate.
// Assures that a device goes on trying while it waits, however long that listener takes.
// Fails firmware that takes the close after registration for a final one.
void served_after_activation(Bench& bench) {
  for (const Milliseconds delay : activation_delays(bench)) {
    const EvidencePtr registered =
        bench.first_connection_in({{bench.account_a(), CertificateMode::default_mode, false, false}});
    if (!registered || registered->kind != "registered") {
      throw Inconclusive("no first connection within " + in_ms(bench.connect_limit()) + " of a reset");
    }
    bench.opportunity(registered);
    if (delay > Milliseconds{0}) bench.watch(delay);
    const std::uint64_t activated = bench.now();
    bench.activate_certificate(bench.account_a());
    const EvidencePtr served = bench.await_served(activated, bench.reconnect_limit());
    ASSERT_TRUE(served) << "activated " << in_ms(delay) << " after its registration, then not served within "
                        << in_ms(bench.reconnect_limit())
                        << "; attempts seen since: " << bench.seen("tcp_accepted", activated).size();
    bench.rests_on(served);
    EXPECT_THAT(Landing::from(served), WithCertificate(bench.certificate_id()));
  }
}

// The unit's first connection, where a template makes its thing and policy.
// Assures that after just-in-time provisioning nothing has to be done by hand.
// Fails firmware that takes the close after registration for a final one.
void provisioned_by_template(Bench& bench) {
  const EvidencePtr registered = bench.first_connection_in({{bench.account_a(), CertificateMode::default_mode, false}});
  if (!registered || registered->kind != "registered")
    throw Inconclusive("no first connection within " + in_ms(bench.connect_limit()) + " of a reset");
  bench.opportunity(registered);
  const auto record = bench.account(bench.account_a()).describe_certificate(bench.certificate_id());
  if (!record) throw RigTrouble(record.error());
  if (record->status != cloud::CertificateStatus::active || record->things.empty() || record->policies.empty()) {
    throw RigTrouble(Error{ErrorKind::rig, fmt::format("the template did not make thing, policy and ACTIVE status: {}",
                                                       registered->text("fault"))});
  }
  const EvidencePtr served = bench.await_served(registered->number, bench.reconnect_limit());
  ASSERT_TRUE(served) << "registered, then not served within " << in_ms(bench.reconnect_limit());
  bench.rests_on(served);
  EXPECT_THAT(Landing::from(served), WithCertificate(bench.certificate_id()));
}

void expect_same_identity(Bench& bench, std::uint64_t mark, const char* what) {
  const EvidencePtr served = bench.await_served(mark, bench.connect_limit());
  ASSERT_TRUE(served) << "after " << what << " not served within " << in_ms(bench.connect_limit())
                      << "; connections seen since: " << bench.seen("tcp_accepted", mark).size();
  bench.rests_on(served);
  const Landing landing = Landing::from(served);
  EXPECT_THAT(landing, WithCertificate(bench.certificate_id())) << "after " << what;
  // Whether it sends a name at all is not judged here.
  if (landing.sni.empty()) return;
  EXPECT_TRUE(same_name(landing.sni, bench.configured_name())) << "after " << what << " it asked for " << landing.sni;
}

// A unit that was served is reset, and its power cut.
// Assures that a device in the field survives a flat battery.
// Fails firmware that keeps its identity or its endpoint in RAM.
void identity_survives(Bench& bench) {
  bench.opportunity(bench.serve_anew());
  expect_same_identity(bench, bench.reset_unit(), "a reset");
  if (testing::Test::HasFailure()) return;
  if (!bench.can(Capability::power)) {
    bench.note("the power cut was skipped: the rig has no power switch for this unit");
    return;
  }
  expect_same_identity(bench, bench.power_cycle_unit(), "a power cut");
}

/// Attempts since the connection that `registered` is of, which is the first of them.
std::vector<EvidencePtr> attempts_since(Bench& bench, const EvidencePtr& registered) {
  const auto is_attempt = [&](const Evidence& piece) {
    return of_unit(piece) && piece.kind == "tcp_accepted" && piece.connection >= registered->connection;
  };
  return bench.all(is_attempt, 0);
}

/// Of a back-off with full jitter the last interval alone may be a short one.
constexpr std::size_t last_intervals = 8;

// Registered at its first connection, the unit waits for ten minutes (two hours with --long) until somebody activates
// its certificate. Assures that a device may be switched on long before its owner is ready for it. Fails firmware that
// gives up, or that asks without a pause.
void held_in_pending_activation(Bench& bench) {
  constexpr Milliseconds least{2'000};
  const EvidencePtr registered =
      bench.first_connection_in({{bench.account_a(), CertificateMode::default_mode, false, false}});
  if (!registered || registered->kind != "registered") {
    throw Inconclusive("no first connection within " + in_ms(bench.connect_limit()) + " of a reset");
  }
  bench.opportunity(registered);
  const Milliseconds held = (bench.has_long_time() ? 120 : 10) * refusal_time(bench);
  bench.watch(held);
  expect_no_storm(bench, registered->number);
  const auto interval = longest_interval(attempts_since(bench, registered), last_intervals);
  const Milliseconds limit = interval ? std::max(2 * *interval, least) : bench.reconnect_limit();
  const std::uint64_t activated = bench.now();
  bench.activate_certificate(bench.account_a());
  const EvidencePtr served = bench.await_served(activated, limit);
  bench.rests_on(served);
  const char* const meaning =
      interval ? "twice the longest of its last intervals" : "the reconnect limit; held, it had not tried again once";
  EXPECT_TRUE(served) << "activated after " << in_ms(held) << ", then not served within " << in_ms(limit) << " ("
                      << meaning << "); attempts seen since: " << bench.seen("tcp_accepted", activated).size();
}

/// Its certificate is INACTIVE until it has been refused three times or for as long as a row refuses; what a unit that
/// gives up, or insists on a session, makes of that is seen by whether it comes back.
void refuse_as_inactive(Bench& bench) {
  const std::uint64_t start = bench.now();
  bench.set_certificate_status(bench.account_a(), cloud::CertificateStatus::inactive);
  (void)meet_refusals(bench, {.expected_reason = "certificate_inactive", .at_most = refusal_time(bench)}, start);
}

// The served unit's certificate is made INACTIVE and, once the unit was refused, deleted, while its CA still registers
// what it has signed.
// Assures that a device which an account has forgotten makes itself known again.
// Fails firmware that insists on resuming its old session, or that gives up.
void registers_again_when_deleted(Bench& bench) {
  bench.opportunity(bench.serve_anew());
  if (bench.can(Capability::resume)) {
    // It is given sessions, which it must not insist on.
    bench.cloud().set_deviation({.tls = {.tickets = 2}});
    if (!bench.await_served(bench.drop_connections(), bench.reconnect_limit())) {
      throw Inconclusive("not served again after a close");
    }
  }
  refuse_as_inactive(bench);
  const std::uint64_t mark = bench.now();
  bench.delete_certificate(bench.account_a());
  const EvidencePtr registered = bench.await_kind("registered", mark, bench.reconnect_limit());
  ASSERT_TRUE(registered) << "deleted, it did not register again within " << in_ms(bench.reconnect_limit())
                          << "; attempts seen since: " << bench.seen("tcp_accepted", mark).size();
  bench.rests_on(registered);
  const EvidencePtr served = bench.await_served(registered->number, bench.reconnect_limit());
  ASSERT_TRUE(served) << "registered again, then not served within " << in_ms(bench.reconnect_limit());
  bench.rests_on(served);
  EXPECT_THAT(Landing::from(served), WithCertificate(bench.certificate_id()));
}

}  // namespace

void add_provisioning_cases(std::vector<Case>& cases) {
  cases.push_back({.id = "PROV-04",
                   .area = "provisioning",
                   .title = "presents its chain in order",
                   .demand =
                       "the certificates that it presents start with its own, and each that follows certifies the one "
                       "before",
                   .source = "RFC 5246 section 7.4.2, RFC 8446 section 4.4.2",
                   .needs = {Capability::reset},
                   .defects = {"chain-misordered", "chain-foreign"},
                   .opportunity = "the client's Certificate message",
                   .start = Case::Start::as_it_is,
                   .body = chain_in_order,
                   .file = __FILE__,
                   .line = __LINE__});
  cases.push_back({.id = "PROV-05",
                   .area = "provisioning",
                   .title = "presents its certificate and proves its key",
                   .demand =
                       "the certificate presented is the one that the rig installed, and CertificateVerify verifies "
                       "with its key",
                   .source = "RFC 5246 section 7.4.8, RFC 8446 section 4.4.3",
                   .needs = {Capability::reset},
                   .defects = {"wrong-key", "client-cert-missing"},
                   .opportunity = "the client's Certificate message",
                   .start = Case::Start::as_it_is,
                   .body = presents_its_certificate_and_key,
                   .file = __FILE__,
                   .line = __LINE__});
  cases.push_back({.id = "PROV-06",
                   .area = "provisioning",
                   .title = "is served once its registration has been activated",
                   .demand =
                       "after the close that just-in-time registration causes it comes back by itself, and is served "
                       "within the reconnect limit after its certificate is activated: at once, after 10 s, after 60 s",
                   .source = "the service's rules for just-in-time registration; house rule H1",
                   .needs = {Capability::reset},
                   .defects = {"no-reconnect", "give-up-after-refusal"},
                   .depends_on = {"LIFE-06", "SNI-02"},
                   .opportunity = "its registration",
                   .waits = true,
                   .body = served_after_activation,
                   .file = __FILE__,
                   .line = __LINE__});
  cases.push_back({.id = "PROV-07",
                   .area = "provisioning",
                   .title = "is provisioned by a template at its first connection",
                   .demand =
                       "after the close that registration causes it comes back by itself and is served within the "
                       "reconnect limit, with thing, policy and ACTIVE status made from the template",
                   .source = "the service's rules for just-in-time provisioning; house rule H1",
                   .needs = {Capability::reset},
                   .defects = {"no-reconnect"},
                   .depends_on = {"LIFE-06", "SNI-02"},
                   .opportunity = "its registration",
                   .body = provisioned_by_template,
                   .file = __FILE__,
                   .line = __LINE__});
  cases.push_back({.id = "PROV-09",
                   .area = "provisioning",
                   .title = "its identity survives a reset and a power cut",
                   .demand = "certificate, key and endpoint survive a reset, and a power cut where the rig has power",
                   .source = "house rule H2",
                   .needs = {Capability::reset},
                   .defects = {"identity-in-ram"},
                   .opportunity = "a served connection before it",
                   .start = Case::Start::as_it_is,
                   .body = identity_survives,
                   .file = __FILE__,
                   .line = __LINE__});
  cases.push_back({.id = "PROV-08",
                   .area = "provisioning",
                   .level = Level::should,
                   .title = "waits for its activation in patience",
                   .demand = "held in PENDING_ACTIVATION for 10 min it keeps trying, without a storm of attempts, and "
                             "is served within twice the longest of its last intervals after activation",
                   .source = "good practice: a device may be switched on before its owner is ready",
                   .needs = {Capability::reset},
                   .defects = {"reconnect-storm", "give-up-after-refusal"},
                   .depends_on = {"LIFE-06", "SNI-02", "PROV-06"},
                   .opportunity = "its registration",
                   .waits = true,
                   .body = held_in_pending_activation,
                   .file = __FILE__,
                   .line = __LINE__});
  cases.push_back({.id = "PROV-16",
                   .area = "provisioning",
                   .title = "registers again when its certificate was deleted",
                   .demand = "its certificate INACTIVE for three refusals, then deleted in the account while the CA "
                             "still auto-registers: it registers anew by a full handshake, with nothing done to it",
                   .source = "the service's rules for just-in-time registration; house rule H1",
                   .needs = {Capability::reset},
                   .defects = {"no-reconnect", "resume-only", "give-up-after-refusal"},
                   .depends_on = {"LIFE-06", "MQTT-10", "SNI-02", "PROV-07"},
                   .opportunity = "a served connection before",
                   .start = Case::Start::as_it_is,
                   .body = registers_again_when_deleted,
                   .file = __FILE__,
                   .line = __LINE__});
}

}  // namespace hilmark::suites
