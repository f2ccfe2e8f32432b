// provisioning: what becomes of an identity when another one is installed, or the firmware flashed again.
#include "suites/areas.h"
#include "suites/bench.h"
#include "suites/matchers.h"

namespace hilmark::suites {
namespace {

void expect_served_as_before(Bench& bench, std::uint64_t mark, const char* what) {
  const EvidencePtr served = bench.await_served(mark, bench.connect_limit());
  ASSERT_TRUE(served) << "after " << what << " not served within " << in_ms(bench.connect_limit())
                      << "; connections seen since: " << bench.seen("tcp_accepted", mark).size();
  bench.rests_on(served);
  EXPECT_THAT(Landing::from(served), WithCertificate(bench.certificate_id())) << "after " << what;
}

// Flashes the served unit with its firmware once more.
// Assures that a device is provisioned once: an update in the field costs it nothing.
// Fails firmware whose identity lies in what is flashed, or that clears it for an update.
void identity_survives_flashing(Bench& bench) {
  if (!bench.firmware()) throw NotApplicable("the lab file names no firmware that could be flashed again");
  bench.opportunity(bench.serve_anew());
  expect_served_as_before(bench, bench.flash_again(), "its firmware was flashed again");
}

/// `leaf` with the issuers of the unit's own certificate, as that is installed.
std::string with_issuers(Bench& bench, const std::string& leaf) {
  std::string chain = leaf;
  for (const std::string& issuer : bench.identity().issuers_pem) chain += issuer;
  return chain;
}

/// The control: said in the same way, it takes its own certificate.
void expect_taken(Bench& bench, const char* when) {
  const auto refusal = bench.refusal_of(with_issuers(bench, bench.certificate_pem()));
  if (!refusal) return;
  throw Inconclusive(fmt::format("no control: {} it refused its own certificate as well: {}", when, *refusal));
}

/// It fell silent over a bad installation: reset, it must be served as before. Inconclusive if it is, and answers no
/// installation at all.
void expect_to_come_back(Bench& bench, const char* what) {
  if (!bench.await_served(bench.reset_unit(), bench.connect_limit())) {
    throw ClaimFailed(fmt::format("told to install {} it fell silent, and was not served again within {} of a reset",
                                  what, in_ms(bench.connect_limit())));
  }
  (void)bench.refusal_of(with_issuers(bench, bench.certificate_pem()));
}

void expect_refused(Bench& bench, const char* what, const std::string& certificate_chain) {
  std::optional<std::string> refusal;
  std::string silence;
  try {
    refusal = bench.refusal_of(certificate_chain);
  } catch (const NoAnswer& none) {
    silence = none.what();
  }
  const EvidencePtr answer = bench.remark(
      "bad_install", {{"what", what}, {"refused", refusal.has_value()}, {"answer", refusal.value_or(silence)}});
  bench.opportunity(answer);
  if (silence.empty()) {
    EXPECT_TRUE(refusal) << "it took " << what << " without an error (evidence #" << answer->number << ")";
    return;
  }
  expect_to_come_back(bench, what);
  ADD_FAILURE() << "told to install " << what << " it gave no error, but fell silent (evidence #" << answer->number
                << "): " << silence;
}

// Installs a certificate for another key, one that is cut short and, on a unit with a clock, one for its own key that
// has expired; its own one before and after them; and restarts the unit.
// Assures that a mistake on the production line, or a line that breaks off, leaves a device that works.
// Fails firmware that stores what it is given and reads it at the next connection only, or that chokes on it.
void refuses_bad_installs(Bench& bench) {
  expect_taken(bench, "at first");
  const std::string other = bench.certificate_for_another_key();
  expect_refused(bench, "a certificate for another key", with_issuers(bench, other));
  if (testing::Test::HasFailure()) return;
  expect_refused(bench, "a certificate that is cut short", other.substr(0, other.size() / 2));
  if (testing::Test::HasFailure()) return;
  expect_refused(bench, "its own certificate cut short",
                 bench.certificate_pem().substr(0, bench.certificate_pem().size() / 2));
  if (testing::Test::HasFailure()) return;
  if (bench.can(Capability::clock)) {
    expect_refused(bench, "an expired certificate", with_issuers(bench, bench.expired_certificate()));
    if (testing::Test::HasFailure()) return;
  } else {
    bench.note("an expired certificate was not tried: that needs the capability clock");
  }
  expect_served_as_before(bench, bench.reset_unit(), "bad installs and a reset");
  if (testing::Test::HasFailure()) return;
  expect_taken(bench, "after bad ones");
}

EvidencePtr await_served_by_new(Bench& bench, std::uint64_t mark, Milliseconds limit) {
  return bench.await(
      [&](const Evidence& piece) {
        return piece.text("origin") == "unit" && piece.kind == "connack" &&
               piece.text("certificate_id") == bench.certificate_id();
      },
      mark, limit);
}

/// The first certificate after `mark` is the new one; ends the case at once if it is not.
void expect_new_certificate(Bench& bench, std::uint64_t mark) {
  if (!bench.await_kind("client_certificates", mark, bench.reconnect_limit())) return;
  for (const Presented& chain : bench.presented_since(mark)) {
    bench.opportunity(chain.evidence);
    if (chain.certificate_id == bench.certificate_id()) continue;
    throw ClaimFailed(
        fmt::format("not the new certificate but {} (evidence #{})", chain.certificate_id, chain.evidence->number));
  }
}

// Gives the served unit another certificate, revokes the former one, and resets the unit.
// Assures that a rotation takes effect at once, so that the old certificate can be revoked.
// Fails firmware that reads its certificate once a boot, or that falls back to the first one.
void presents_the_new_certificate(Bench& bench) {
  const std::uint64_t mark = bench.rotate_identity(bench.account_a());
  expect_new_certificate(bench, mark);
  const EvidencePtr served = await_served_by_new(bench, mark, bench.reconnect_limit());
  const EvidencePtr served_after_reset =
      served ? await_served_by_new(bench, bench.reset_unit(), bench.connect_limit()) : nullptr;
  expect_new_certificate(bench, mark);
  ASSERT_TRUE(served) << "not served with its new certificate within " << in_ms(bench.reconnect_limit());
  bench.rests_on(served);
  ASSERT_TRUE(served_after_reset) << "after a reset not served with its new certificate within "
                                  << in_ms(bench.connect_limit());
  bench.rests_on(served_after_reset);
}

}  // namespace

void add_install_cases(std::vector<Case>& cases) {
  cases.push_back({.id = "PROV-11",
                   .area = "provisioning",
                   .title = "its identity survives flashing",
                   .demand = "flashing the application again leaves certificate id and public key as they were",
                   .source = "house rules H2 and H4: provisioned once",
                   .needs = {Capability::flash, Capability::keeps_identity},
                   .defects = {"identity-erased-by-flash"},
                   .depends_on = {"LIFE-06", "SNI-02"},
                   .opportunity = "a served connection before it",
                   .start = Case::Start::as_it_is,
                   .body = identity_survives_flashing,
                   .file = __FILE__,
                   .line = __LINE__});
  // Without a console the rig lays the files out itself, and there is nobody who could refuse them.
  cases.push_back({.id = "PROV-12",
                   .area = "provisioning",
                   .title = "refuses a certificate that it cannot use",
                   .demand = "a certificate that does not match the key, is cut short or, on a unit with a clock, has "
                             "expired, is refused with an error, and the old one kept; said in the same way before and "
                             "after them, its own is taken",
                   .source = "house rule H2",
                   .needs = {Capability::reset, Capability::console, Capability::install},
                   .defects = {"install-accepts-anything"},
                   .depends_on = {"LIFE-06", "MQTT-10", "SNI-02"},
                   .opportunity = "an answer to a bad installation",
                   .body = refuses_bad_installs,
                   .file = __FILE__,
                   .line = __LINE__});
  cases.push_back({.id = "PROV-13",
                   .area = "provisioning",
                   .title = "presents its new certificate alone after a rotation",
                   .demand = "from the first full handshake after the installation the new certificate alone is "
                             "presented, over a reset as well; the old one revoked, the device is served",
                   .source = "the service's rules for certificates; house rule H1",
                   .needs = {Capability::reset, Capability::install},
                   .defects = {"cert-stale"},
                   .depends_on = {"LIFE-06", "SNI-02"},
                   .opportunity = "a client's Certificate message after the installation",
                   .body = presents_the_new_certificate,
                   .file = __FILE__,
                   .line = __LINE__});
}

}  // namespace hilmark::suites
