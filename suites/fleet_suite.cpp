// provisioning by claim: a secret that a whole fleet shares, until each device has an identity of its own.
#include <set>

#include "suites/areas.h"
#include "suites/bench.h"
#include "suites/matchers.h"

namespace hilmark::suites {
namespace {

/// Whatever becomes of the case: other cases are about the identity that the rig gave the unit.
class ClaimEnds {
 public:
  explicit ClaimEnds(Bench& bench) : bench_(bench) {}
  ClaimEnds(const ClaimEnds&) = delete;
  ClaimEnds& operator=(const ClaimEnds&) = delete;
  ~ClaimEnds() { bench_.end_claim(); }

 private:
  Bench& bench_;
};

/// The answer to a request of the unit's to be provisioned.
EvidencePtr await_provisioned(Bench& bench, bool accepted, std::uint64_t after) {
  EvidencePtr answer = bench.await(
      [&](const Evidence& piece) {
        return piece.kind == "fleet_answer" && piece.text("origin") == "unit" && piece.flag("accepted") == accepted &&
               piece.text("topic").find("/provisioning-templates/") != std::string::npos;
      },
      after, bench.reconnect_limit());
  if (answer) bench.rests_on(answer);
  return answer;
}

/// Waits until the unit's first attempt breaks off, with a certificate made and not provisioned.
EvidencePtr await_broken_off(Bench& bench, std::uint64_t mark) {
  EvidencePtr cut = bench.await(
      [](const Evidence& piece) {
        return piece.kind == "deviation" && piece.text("what") == "close_after_new_certificate";
      },
      mark, bench.connect_limit());
  for (const Presented& chain : bench.presented_since(mark)) {
    if (chain.certificate_id == bench.claim_id()) bench.opportunity(chain.evidence);
  }
  if (cut) return cut;
  for (const EvidencePtr& denied : bench.seen("mqtt_denied", mark)) {
    if (denied->text("reason") == "cbor_not_supported") {
      throw NotApplicable("it asks for its certificate in CBOR, which the rig's endpoint does not speak");
    }
  }
  throw ClaimFailed("asked for no certificate within " + in_ms(bench.connect_limit()) + " of a reset with a claim");
}

std::set<std::string> certificates_made(const Bench& bench, std::uint64_t mark) {
  std::set<std::string> ids;
  for (const EvidencePtr& answer : bench.seen("fleet_answer", mark)) ids.insert(answer->text("certificate_id"));
  ids.erase("");
  return ids;
}

/// Brings a unit with a claim through an attempt that breaks off, and one that is rejected, to its own certificate; the
/// connection that is served under it.
EvidencePtr provision_by_claim(Bench& bench) {
  const cloud::Place place = bench.account_a();
  const std::uint64_t mark = bench.restart_with_claim(place, {.mqtt = {.close_after_new_certificate = true}});
  const EvidencePtr cut = await_broken_off(bench, mark);
  bench.cloud().set_deviation({});
  const EvidencePtr rejected = await_provisioned(bench, false, cut->number);
  if (!rejected)
    throw ClaimFailed("did not ask again within " + in_ms(bench.reconnect_limit()) + " of a connection that broke off");
  bench.enable_fleet_template(place);
  const EvidencePtr accepted = await_provisioned(bench, true, rejected->number);
  if (!accepted) throw ClaimFailed("did not ask again within " + in_ms(bench.reconnect_limit()) + " of a rejection");
  const std::set<std::string> made = certificates_made(bench, mark);
  EvidencePtr served = bench.await(
      [&](const Evidence& piece) {
        return piece.kind == "connack" && piece.text("origin") == "unit" &&
               made.count(piece.text("certificate_id")) > 0;
      },
      accepted->number, bench.reconnect_limit());
  if (!served)
    throw ClaimFailed("not served under its own certificate within " + in_ms(bench.reconnect_limit()) +
                      " of its provisioning");
  bench.rests_on(served);
  return served;
}

/// The claim has served its turn: the unit is served by `own`, and shows nothing else.
void expect_served_by(Bench& bench, const std::string& own, std::uint64_t mark, const char* when) {
  const EvidencePtr served = bench.await_served(mark, bench.reconnect_limit());
  for (const Presented& chain : bench.presented_since(mark)) {
    if (chain.certificate_id != bench.claim_id()) continue;
    bench.rests_on(chain.evidence);
    throw ClaimFailed(
        fmt::format("after {} it presents the claim again (evidence #{}), though it was served under its "
                    "own certificate",
                    when, chain.evidence->number));
  }
  ASSERT_TRUE(served) << "after " << when << " not served within " << in_ms(bench.reconnect_limit());
  bench.rests_on(served);
  EXPECT_THAT(Landing::from(served), WithCertificate(own)) << "after " << when;
}

// Gives the unit a claim in place of its identity. Its first attempt breaks off once a certificate was made, the next
// one is rejected, then it is provisioned; its connection is closed, and it is reset.
// Assures that the secret of all is used as long as a device has none of its own: who revokes it strands nobody.
// Fails firmware that provisions itself at each boot, loses what it was given, or gives up after a rejection.
void claim_is_used_once(Bench& bench) {
  const ClaimEnds afterwards(bench);
  const EvidencePtr served = provision_by_claim(bench);
  const std::string own = served->text("certificate_id");
  expect_served_by(bench, own, bench.drop_connections(), "a close");
  if (testing::Test::HasFailure()) return;
  expect_served_by(bench, own, bench.reset_unit(), "a reset");
}

}  // namespace

void add_fleet_cases(std::vector<Case>& cases) {
  // The rig must be able to take the identity away and to give it back: hence `install`.
  cases.push_back({.id = "PROV-14",
                   .area = "provisioning",
                   .title = "a claim is used until it has a certificate of its own",
                   .demand = "provisions itself by its claim, also after an attempt that broke off and one that was "
                             "rejected; once it was served under its own certificate the claim is not presented "
                             "again, over a reset as well",
                   .source = "the service's rules for provisioning by claim; house rules H1 and H2",
                   .needs = {Capability::reset, Capability::install, Capability::fleet},
                   .defects = {"claim-reused"},
                   .depends_on = {"LIFE-06", "SNI-02"},
                   .opportunity = "a connection with the claim",
                   .body = claim_is_used_once,
                   .file = __FILE__,
                   .line = __LINE__});
}

}  // namespace hilmark::suites
