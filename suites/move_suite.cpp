// move: one identity, many accounts.
#include "suites/areas.h"
#include "suites/bench.h"
#include "suites/matchers.h"

namespace hilmark::suites {
namespace {

using cloud::CertificateMode;

/// The unit is told its new endpoint and must be served there with the identity that it has.
void expect_move(Bench& bench, const cloud::Place& to, CertificateMode mode) {
  const std::uint64_t mark = bench.now();
  bench.move_to(to);
  const EvidencePtr served = bench.await_kind("connack", mark, bench.reconnect_limit());
  if (!served) {
    const auto attempts = bench.seen("tcp_accepted", mark);
    for (const EvidencePtr& attempt : attempts) bench.rests_on(attempt);
    throw ClaimFailed(fmt::format("told the endpoint of account {}, it was not served within {}; connections since: {}",
                                  to.account, in_ms(bench.reconnect_limit()), attempts.size()));
  }
  bench.rests_on(served);
  EXPECT_THAT(Landing::from(served),
              testing::AllOf(LandedIn(to.account), InMode(name_of(mode)), WithCertificate(bench.certificate_id())));
}

/// Both accounts share the CA; the unit is served in A.
void begin_in_a(Bench& bench, CertificateMode mode_a, bool registered_in_b) {
  const std::uint64_t mark = bench.lay_out(
      {{bench.account_a(), mode_a, true}, {bench.account_b(), CertificateMode::sni_only, registered_in_b}});
  const EvidencePtr served = bench.await_served(mark, bench.reconnect_limit());
  if (!served) throw Inconclusive("not served in account A before the move");
  bench.opportunity(served);
}

// A knows the CA in DEFAULT mode, B in SNI_ONLY mode; the unit is told B's endpoint, and nothing else is done to it.
// Assures the mission: provisioned once, moved between accounts without being provisioned again.
// Fails firmware that keeps the old name, or that makes itself a new identity when its endpoint changes.
void from_default_to_sni_only(Bench& bench) {
  begin_in_a(bench, CertificateMode::default_mode, false);
  expect_move(bench, bench.account_b(), CertificateMode::sni_only);
  if (testing::Test::HasFailure()) return;
  const auto image = bench.read_image();
  if (!image) {
    bench.note("the image was not compared: this unit's flash cannot be read back");
    return;
  }
  EXPECT_TRUE(*image == bench.firmware()->content) << "the image in the flash has changed by the move";
}

// Both accounts know the CA in SNI_ONLY mode.
// Assures that nothing but the name is needed to tell two accounts of one CA apart.
// Fails firmware that keeps the old name.
void from_sni_only_to_sni_only(Bench& bench) {
  begin_in_a(bench, CertificateMode::sni_only, false);
  expect_move(bench, bench.account_b(), CertificateMode::sni_only);
}

// A, B, A … ten times.
// Assures that a move leaves nothing behind that hinders the next one.
// Fails firmware that takes a new endpoint once, or whose table of endpoints fills up.
void to_and_fro_ten_times(Bench& bench) {
  begin_in_a(bench, CertificateMode::default_mode, true);
  for (int move = 1; move <= 10; ++move) {
    SCOPED_TRACE(fmt::format("move {} of 10", move));
    const bool to_b = move % 2 == 1;
    expect_move(bench, to_b ? bench.account_b() : bench.account_a(),
                to_b ? CertificateMode::sni_only : CertificateMode::default_mode);
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace

void add_move_cases(std::vector<Case>& cases) {
  cases.push_back({.id = "MOVE-01",
                   .area = "move",
                   .title = "from DEFAULT in A to SNI_ONLY in B",
                   .demand =
                       "served in B with the same certificate id; the rig flashes and installs nothing, and the image "
                       "is unchanged",
                   .source = "the mission: one identity, many accounts; house rule H2",
                   .needs = {Capability::endpoint},
                   .defects = {"sni-stale", "reprovision-on-move"},
                   .depends_on = {"LIFE-06", "SNI-02", "SNI-03", "MODE-01"},
                   .opportunity = "a served connection in A",
                   .body = from_default_to_sni_only,
                   .file = __FILE__,
                   .line = __LINE__});
  cases.push_back(
      {.id = "MOVE-02",
       .area = "move",
       .title = "from SNI_ONLY in A to SNI_ONLY in B",
       .demand = "served in B with the same certificate id, where both accounts know the CA in SNI_ONLY mode",
       .source = "the service's rules for SNI_ONLY",
       .needs = {Capability::endpoint},
       .defects = {"sni-stale"},
       .depends_on = {"LIFE-06", "SNI-02", "SNI-03", "MODE-01", "MOVE-01"},
       .opportunity = "a served connection in A",
       .body = from_sni_only_to_sni_only,
       .file = __FILE__,
       .line = __LINE__});
  cases.push_back({.id = "MOVE-04",
                   .area = "move",
                   .title = "to and fro ten times",
                   .demand =
                       "A to B to A, ten times; each landing in the right account within the reconnect limit, the "
                       "certificate the same to the byte",
                   .source = "the mission: one identity, many accounts; house rule H2",
                   .needs = {Capability::endpoint},
                   .defects = {"moves-once-only", "sni-stale"},
                   .depends_on = {"LIFE-06", "SNI-02", "SNI-03", "MODE-01", "MOVE-01"},
                   .opportunity = "a served connection in A",
                   .body = to_and_fro_ten_times,
                   .file = __FILE__,
                   .line = __LINE__});
}

}  // namespace hilmark::suites
