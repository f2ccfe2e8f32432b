// move: one identity, many accounts.
#include <algorithm>

#include "suites/areas.h"
#include "suites/attempts.h"
#include "suites/bench.h"
#include "suites/matchers.h"
#include "suites/name_questions.h"
#include "suites/refusals.h"

namespace hilmark::suites {
namespace {

using cloud::CertificateMode;

/// How it was received first since `mark`: with CONNACK, or (where its first connection registers it) after that. What
/// it began before it had confirmed the move, while it was still told where to go, counts only if it led to `to`.
EvidencePtr await_landing(Bench& bench, const cloud::Place& to, std::uint64_t mark) {
  const auto began_before = bench.seen("tcp_accepted", 0);
  const std::uint64_t last_of_before = began_before.empty() ? 0 : began_before.back()->connection;
  const auto counts = [&](const Evidence& piece) {
    return piece.text("origin") == "unit" && (piece.connection > last_of_before || piece.text("account") == to.account);
  };
  return bench.await_registered_and_served(mark, bench.reconnect_limit(), counts);
}

/// The unit is told its new endpoint and must be served there with the identity that it has.
/// Returns the CONNACK there.
EvidencePtr expect_move(Bench& bench, const cloud::Place& to, CertificateMode mode) {
  const std::uint64_t mark = bench.now();
  bench.move_to(to);
  EvidencePtr served = await_landing(bench, to, mark);
  if (!served) {
    const auto attempts = bench.seen("tcp_accepted", mark);
    for (const EvidencePtr& attempt : attempts) bench.rests_on(attempt);
    std::string elsewhere;
    for (const EvidencePtr& connack : bench.seen("connack", mark)) {
      bench.rests_on(connack);
      elsewhere = fmt::format("; last landed in account {}", connack->text("account"));
    }
    throw ClaimFailed(
        fmt::format("told the endpoint of account {}, it was not served within {}; connections since: {}{}", to.account,
                    in_ms(bench.reconnect_limit()), attempts.size(), elsewhere));
  }
  bench.rests_on(served);
  EXPECT_THAT(Landing::from(served),
              testing::AllOf(LandedIn(to.account), InMode(name_of(mode)), WithCertificate(bench.certificate_id())));
  return served;
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
// Assures house rule H4: provisioned once, moved between accounts without being provisioned again.
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
    const cloud::Place to = to_b ? bench.account_b() : bench.account_a();
    const CertificateMode mode = to_b ? CertificateMode::sni_only : CertificateMode::default_mode;
    const EvidencePtr served = expect_move(bench, to, mode);
    if (testing::Test::HasFailure()) return;
    bench.note(fmt::format(
        "move {:>2}: told \"{}\", served by account {} in {} mode with certificate {}… (evidence #{})", move,
        bench.configured_name(), to.account, name_of(mode), bench.certificate_id().substr(0, 12), served->number));
  }
}

// Active in A, revoked in B; the unit is moved to B, refused there three times (by an alert, by a close), and moved
// back. Assures that what one account thinks of a device costs it nothing in another. Fails firmware that erases its
// identity when it is told that the certificate was revoked.
void refused_in_b_and_back(Bench& bench) {
  for (const cloud::RefuseForm form : {cloud::RefuseForm::alert, cloud::RefuseForm::close_after_connect}) {
    begin_in_a(bench, CertificateMode::default_mode, true);
    bench.set_certificate_status(bench.account_b(), cloud::CertificateStatus::revoked);
    bench.cloud().set_deviation({.refuse = form});
    const std::uint64_t mark = bench.now();
    expect_served_after_refusals(bench, {.form = form,
                                         .expected_reason = "certificate_revoked",
                                         .begin = [&] { bench.move_to(bench.account_b()); },
                                         .cure = [&] { bench.move_to(bench.account_a()); }});
    if (testing::Test::HasFailure()) return;
    EXPECT_THAT(Landing::from(bench.seen("connack", mark).back()),
                testing::AllOf(LandedIn(bench.account_a().account), WithCertificate(bench.certificate_id())));
  }
}

// Twenty accounts share the CA, each auto-registering; the unit is told one after the other.
// Assures that nothing in a device counts the accounts that it has seen.
// Fails firmware whose table of endpoints fills up.
void tour_of_twenty_accounts(Bench& bench) {
  const std::vector<cloud::Place> tour = bench.tour();
  std::vector<AccountPlan> plans = {{bench.account_a(), CertificateMode::default_mode, true}};
  for (const cloud::Place& stop : tour) plans.push_back({stop, CertificateMode::sni_only, false});
  const std::uint64_t mark = bench.lay_out(plans);
  const EvidencePtr control = bench.await_served(mark, bench.reconnect_limit());
  if (!control) throw Inconclusive("not served in account A before the tour");
  bench.opportunity(control);
  for (std::size_t stop = 0; stop < tour.size(); ++stop) {
    SCOPED_TRACE(fmt::format("stop {} of {}", stop + 1, tour.size()));
    expect_move(bench, tour[stop], CertificateMode::sni_only);
    if (testing::Test::HasFailure()) return;
  }
  EXPECT_EQ(bench.seen("registered", mark).size(), tour.size()) << "registrations on the tour";
}

// Its certificate is transferred from A to B while it is connected to A; then it is told B's endpoint.
// Assures that a device changes hands without being provisioned again.
// Fails firmware that keeps the old name, or erases its identity when it is refused.
void transferred_to_b(Bench& bench) {
  begin_in_a(bench, CertificateMode::default_mode, false);
  const std::uint64_t mark = bench.now();
  bench.set_auto_registration(bench.account_a(), false);
  bench.transfer_certificate(bench.account_a(), bench.account_b());
  const EvidencePtr refusal = bench.await_kind("refused", mark, bench.reconnect_limit());
  if (!refusal) throw Inconclusive("it was not refused in A after the transfer");
  bench.rests_on(refusal);
  const std::uint64_t moved = bench.now();
  bench.move_to(bench.account_b());
  const EvidencePtr served = bench.await_served(moved, bench.reconnect_limit());
  ASSERT_TRUE(served) << "not served in B within " << in_ms(bench.reconnect_limit()) << " of the move";
  bench.rests_on(served);
  EXPECT_THAT(Landing::from(served),
              testing::AllOf(LandedIn(bench.account_b().account), WithCertificate(bench.certificate_id())));
}

/// The waits between a refusal in `place` and the next connection's beginning since `after`.
std::vector<Milliseconds> waits_since(Bench& bench, std::uint64_t after, const cloud::Place& place) {
  std::vector<Milliseconds> waits;
  const auto refusals = bench.seen("refused", after);
  const auto attempts = bench.seen("tcp_accepted", after);
  for (const EvidencePtr& refusal : refusals) {
    if (refusal->text("account") != place.account) continue;
    const auto next = std::find_if(attempts.begin(), attempts.end(), [&](const EvidencePtr& attempt) {
      return attempt->connection > refusal->connection;
    });
    if (next == attempts.end()) break;
    waits.push_back(std::chrono::duration_cast<Milliseconds>((*next)->at - refusal->at));
  }
  return waits;
}

struct Waits {
  Milliseconds first{0};  ///< the shortest of the first ones
  Milliseconds cap{0};    ///< the median of the last ones
};

/// Refused in A often enough that its waits have grown as far as they may.
Waits waits_in_a(Bench& bench, std::uint64_t after) {
  constexpr int refusals = 9;
  constexpr std::size_t judged = 3;
  std::uint64_t mark = after;
  for (int i = 0; i < refusals; ++i) {
    const EvidencePtr refusal = bench.await_kind("refused", mark, bench.reconnect_limit());
    if (!refusal) throw Inconclusive(fmt::format("refused {} times it did not come again", i));
    mark = refusal->number;
  }
  std::vector<Milliseconds> waits = waits_since(bench, after, bench.account_a());
  if (waits.size() < 2 * judged) throw Inconclusive("its waits in A could not be told");
  const Milliseconds first = *std::min_element(waits.begin(), waits.begin() + judged);
  std::sort(waits.end() - judged, waits.end());
  return {first, waits[waits.size() - 1 - judged / 2]};
}

// A refuses the unit until its back-off has grown; then it is told B's endpoint, and refused there as well.
// Assures that a move takes effect at once, and that the new account does not pay for the old one's refusals.
// Fails firmware that sleeps its back-off out, or carries it over.
void moved_while_it_backs_off(Bench& bench) {
  // A single wait of a few milliseconds may be stretched by a busy host.
  constexpr int tries = 4;
  constexpr std::size_t early = 3;
  constexpr Milliseconds noise{30};  // what a busy host adds to any wait
  const auto by_b = [&](const Evidence& piece) {
    return piece.kind == "refused" && piece.text("origin") == "unit" &&
           piece.text("account") == bench.account_b().account;
  };
  Waits in_a;
  Milliseconds fresh{0};
  bool carried_over = false;
  for (int i = 0; i < tries; ++i) {
    begin_in_a(bench, CertificateMode::default_mode, true);
    // A boot begins with a fresh back-off, whatever came before.
    if (!bench.await_served(bench.reset_unit(), bench.connect_limit())) throw Inconclusive("not served after a reset");
    const std::uint64_t laid_out = bench.now();
    std::uint64_t mark = laid_out;
    bench.set_certificate_status(bench.account_a(), cloud::CertificateStatus::inactive);
    bench.set_certificate_status(bench.account_b(), cloud::CertificateStatus::inactive);
    in_a = waits_in_a(bench, mark);
    mark = bench.now();
    bench.move_to(bench.account_b());
    for (std::size_t refusals = 0; refusals <= early; ++refusals) {
      const Milliseconds limit = refusals == 0 ? bench.info().timing.endpoint_command : bench.reconnect_limit();
      const EvidencePtr next = bench.await(by_b, mark, limit);
      ASSERT_TRUE(next) << "told B's endpoint, it did not come to B within " << in_ms(limit) << ", " << refusals
                        << " time(s) refused there";
      bench.rests_on(next);
      mark = next->number;
    }
    const auto waits = waits_since(bench, laid_out, bench.account_b());
    if (waits.empty()) throw Inconclusive("its waits in B could not be told");
    fresh = *std::min_element(waits.begin(), waits.end());
    // Waits at the cap vary by a factor of two by themselves, for jitter, and a busy host stretches them further.
    const bool grew = in_a.cap >= 3 * in_a.first && in_a.cap > in_a.first + noise;
    if (grew && 3 * fresh <= in_a.cap) return;
    carried_over = carried_over || grew;
    bench.move_to(bench.account_a());
  }
  // Whoever always waits the same time does so in B.
  if (!carried_over && fresh <= 2 * in_a.first + noise) return;
  ADD_FAILURE() << "refused once in B it waited " << in_ms(fresh)
                << " before it tried again; in A, after many refusals, " << in_ms(in_a.cap);
}

// The unit is moved while it is connected to A.
// Assures that an account does not go on counting a device that has left.
// Fails firmware that forgets its old connection without ending it.
void old_connection_ends(Bench& bench) {
  constexpr Milliseconds within{30'000};
  begin_in_a(bench, CertificateMode::default_mode, true);
  const EvidencePtr before = bench.findings().opportunity;
  const std::uint64_t mark = bench.now();
  expect_move(bench, bench.account_b(), CertificateMode::sni_only);
  if (testing::Test::HasFailure()) return;
  const EvidencePtr end = bench.await(
      [&](const Evidence& piece) { return piece.kind == "closed" && piece.connection == before->connection; }, mark,
      std::min(within, bench.info().timing.endpoint_command));
  bench.rests_on(end);
  ASSERT_TRUE(end) << "its connection to A (evidence #" << before->number << ") stayed open after it was served in B";
  for (const EvidencePtr& ruled : bench.all(
           [&](const Evidence& piece) { return piece.kind == "mqtt_closed" && piece.connection == before->connection; },
           mark)) {
    bench.rests_on(ruled);
    EXPECT_NE(ruled->text("reason"), "keep_alive")
        << "its connection to A was ended by A, which heard nothing any more";
  }
}

// The unit is moved to B, and loses its power (or is reset).
// Assures that a move is not undone by a flat battery.
// Fails firmware that keeps its new endpoint in RAM, or falls back to the one before.
void stays_moved_after_a_reset(Bench& bench) {
  begin_in_a(bench, CertificateMode::default_mode, true);
  expect_move(bench, bench.account_b(), CertificateMode::sni_only);
  if (testing::Test::HasFailure()) return;
  const std::uint64_t mark = bench.can(Capability::power) ? bench.power_cycle_unit() : bench.reset_unit();
  const EvidencePtr served = bench.await_served(mark, bench.connect_limit());
  for (const Hello& hello : bench.hellos_since(mark)) {
    EXPECT_THAT(hello, CarriesServerName(bench.configured_name())) << "after the reset";
  }
  ASSERT_TRUE(served) << "not served in B within " << in_ms(bench.connect_limit()) << " of its restart";
  bench.rests_on(served);
  expect_no_question_for(bench, bench.account(bench.account_a()).endpoint_name(), mark);
  EXPECT_THAT(Landing::from(served), LandedIn(bench.account_b().account));
}

}  // namespace

void add_move_cases(std::vector<Case>& cases) {
  cases.push_back({.id = "MOVE-01",
                   .area = "move",
                   .title = "from DEFAULT in A to SNI_ONLY in B",
                   .demand =
                       "served in B with the same certificate id; the rig flashes and installs nothing, and the image "
                       "is unchanged",
                   .source = "house rule H4: one identity, many accounts; house rule H2",
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
                   .source = "house rule H4: one identity, many accounts; house rule H2",
                   .needs = {Capability::endpoint},
                   .defects = {"moves-once-only", "sni-stale"},
                   .depends_on = {"LIFE-06", "SNI-02", "SNI-03", "MODE-01", "MOVE-01"},
                   .opportunity = "a served connection in A",
                   .body = to_and_fro_ten_times,
                   .file = __FILE__,
                   .line = __LINE__});
  cases.push_back({.id = "MOVE-05",
                   .area = "move",
                   .title = "revoked in B, it is still served in A",
                   .demand = "revoked in B, active in A: three refusals in B (alert, and close), then moved to A: "
                             "served with the same certificate and key",
                   .source = "house rule H2",
                   .needs = {Capability::endpoint},
                   .defects = {"identity-erased-on-refusal"},
                   .depends_on = {"LIFE-06", "SNI-02", "SNI-03", "MODE-01", "MOVE-01"},
                   .opportunity = "a served connection in A",
                   .body = refused_in_b_and_back,
                   .file = __FILE__,
                   .line = __LINE__});
  cases.push_back({.id = "MOVE-07",
                   .area = "move",
                   .title = "a tour of twenty accounts",
                   .demand = "twenty accounts share one CA, each auto-registering: served in each; one certificate id, "
                             "twenty registrations",
                   .source = "house rule H4: one identity, many accounts",
                   .needs = {Capability::endpoint},
                   .defects = {"endpoint-table-full"},
                   .depends_on = {"LIFE-06", "SNI-02", "SNI-03", "MODE-01", "MOVE-01", "MOVE-04"},
                   .opportunity = "a served connection in A",
                   .body = tour_of_twenty_accounts,
                   .file = __FILE__,
                   .line = __LINE__});
  cases.push_back(
      {.id = "MOVE-09",
       .area = "move",
       .level = Level::should,
       .title = "its certificate is transferred to B",
       .demand = "certificate transferred from A to B: refused in A, served in B after the move, nothing reinstalled",
       .source = "the service's rules for certificate transfers; house rule H2",
       .needs = {Capability::endpoint},
       .defects = {"sni-stale"},
       .depends_on = {"LIFE-06", "SNI-02", "SNI-03", "MODE-01", "MOVE-01"},
       .opportunity = "a served connection in A",
       .body = transferred_to_b,
       .file = __FILE__,
       .line = __LINE__});
  cases.push_back(
      {.id = "MOVE-11",
       .area = "move",
       .level = Level::should,
       .title = "a move ends its back-off",
       .demand =
           "a move made while it backs off takes effect at once, and the new account starts with a fresh back-off",
       .source = "good practice: an account does not pay for another's refusals",
       .needs = {Capability::endpoint, Capability::reset},
       .defects = {"backoff-survives-move"},
       .depends_on = {"LIFE-06", "SNI-02", "SNI-03", "MODE-01", "MOVE-01"},
       .opportunity = "a served connection in A",
       .waits = true,
       .body = moved_while_it_backs_off,
       .file = __FILE__,
       .line = __LINE__});
  cases.push_back({.id = "MOVE-12",
                   .area = "move",
                   .level = Level::should,
                   .title = "its old connection ends with the move",
                   .demand = "the old connection ends within 30 s of the move, by DISCONNECT or a close",
                   .source = "good practice: presence tells where a device is",
                   .needs = {Capability::endpoint},
                   .defects = {"old-connection-leaked"},
                   .depends_on = {"LIFE-06", "SNI-02", "SNI-03", "MODE-01", "MOVE-01"},
                   .opportunity = "a served connection in A",
                   .body = old_connection_ends,
                   .file = __FILE__,
                   .line = __LINE__});
  cases.push_back(
      {.id = "MOVE-13",
       .area = "move",
       .title = "a move survives a reset",
       .demand = "after a move and a power cut or reset the unit comes back in B and asks for A's name never",
       .source = "house rules H2 and H4: moved, not provisioned again",
       .needs = {Capability::endpoint, Capability::reset},
       .defects = {"endpoint-in-ram", "endpoint-falls-back", "stores-late"},
       .depends_on = {"LIFE-06", "SNI-02", "SNI-03", "MODE-01", "MOVE-01"},
       .opportunity = "a served connection in A",
       .body = stays_moved_after_a_reset,
       .file = __FILE__,
       .line = __LINE__});
}

}  // namespace hilmark::suites
