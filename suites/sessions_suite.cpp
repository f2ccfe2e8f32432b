// TLS sessions that a device keeps to resume them: what they carry along from one connection, account or identity to
// the next (SNI-04, SNI-07, PROV-15).
#include <set>

#include "suites/areas.h"
#include "suites/bench.h"
#include "suites/matchers.h"

namespace hilmark::suites {
namespace {

constexpr int tickets_each = 2;  // of a full TLS 1.3 handshake
constexpr int reconnections = 3;

/// From now on, until the world is laid out anew, sessions are given out.
void give_out_sessions(Bench& bench) { bench.cloud().set_deviation({.tls = {.tickets = tickets_each}}); }

/// Has the unit connect anew and be served: its CONNACK.
EvidencePtr reconnect(Bench& bench) {
  EvidencePtr served = bench.await_served(bench.drop_connections(), bench.reconnect_limit());
  if (!served) throw Inconclusive("not served again within " + in_ms(bench.reconnect_limit()) + " of a close");
  return served;
}

/// What a program that is stopped at once never read it does not hold. One that publishes has read its CONNACK, and the
/// tickets that came before that.
void let_it_read(Bench& bench, const EvidencePtr& served) {
  if (bench.can(Capability::publish)) (void)bench.await_kind("publish", served->number, bench.reconnect_limit());
}

/// Has a served unit connect until it was given sessions; their ids.
std::set<std::string> collect_sessions(Bench& bench) {
  const std::uint64_t mark = bench.now();
  std::set<std::string> ids;
  for (int i = 0; i < reconnections && ids.empty(); ++i) {
    let_it_read(bench, reconnect(bench));
    for (const EvidencePtr& issued : bench.seen("session_issued", mark)) ids.insert(issued->text("id"));
  }
  if (ids.empty()) throw NotApplicable("takes no session: it asks for no ticket and no session id");
  return ids;
}

// Gives the unit sessions to resume, and has it connect three times.
// Assures that a resumed connection is as good as a new one: the service routes each by its name.
// Fails firmware that sets the name only where it makes a full handshake.
void resumption_carries_the_name(Bench& bench) {
  give_out_sessions(bench);
  const std::uint64_t mark = bench.now();
  int served = 0;
  for (; served <= reconnections; ++served) {
    const std::uint64_t dropped = bench.drop_connections();
    if (!bench.await_served(dropped, bench.reconnect_limit())) break;  // That it comes back is another case's claim.
  }
  for (const Hello& hello : bench.hellos_since(mark)) {
    const bool offers = std::any_of(hello.offers.begin(), hello.offers.end(),
                                    [](const Offer& offer) { return offer.ours || offer.kind == "pre_shared_key"; });
    if (!offers) continue;
    bench.opportunity(hello.evidence);
    EXPECT_THAT(hello, CarriesServerName(bench.configured_name())) << "with a session that it offers to resume";
  }
  if (bench.findings().opportunity) return;
  if (served <= reconnections) {
    throw Inconclusive(fmt::format("it offered no session, and was not served again within {} of close {} of {}",
                                   in_ms(bench.reconnect_limit()), served + 1, reconnections + 1));
  }
  throw NotApplicable(fmt::format("does not resume: it offered no session in {} reconnections", reconnections));
}

/// Judges what a ClientHello to account B's endpoint offers. TLS 1.2 has no rule of its own, so that it is warned of.
void expect_nothing_of(Bench& bench, const std::string& account, const Hello& hello) {
  for (const Offer& offer : hello.offers) {
    if (!offer.ours || offer.account != account) continue;
    const std::string text = fmt::format("ClientHello #{} to \"{}\" offers a {} that account {}'s endpoint issued",
                                         hello.evidence->number, bench.configured_name(), offer.kind, account);
    if (offer.kind == "pre_shared_key") {
      bench.findings().failures.push_back(text);
    } else {
      bench.findings().warnings.push_back(text);
    }
  }
}

/// Has a unit connect until it offers no session of this account's own, which it may hold from an earlier stay and
/// would rather offer.
void use_up_sessions_of(Bench& bench, const std::string& account) {
  for (int i = 0; i < reconnections; ++i) {
    const std::uint64_t mark = bench.now();
    (void)reconnect(bench);
    const std::vector<Hello> hellos = bench.hellos_since(mark);
    const bool offers_its_own = std::any_of(hellos.begin(), hellos.end(), [&](const Hello& hello) {
      return std::any_of(hello.offers.begin(), hello.offers.end(),
                         [&](const Offer& offer) { return offer.ours && offer.account == account; });
    });
    if (!offers_its_own) return;
  }
}

/// By its name; without one, or with several, it is to where the unit has confirmed to go.
bool is_to_new_endpoint(const Hello& hello, const std::string& new_name, std::uint64_t confirmed) {
  if (hello.names.size() == 1) return same_name(hello.names[0].name, new_name);
  return hello.evidence->number > confirmed;
}

// Gives the unit sessions in account A, and moves it to B, which gives none.
// Assures that accounts learn nothing of each other: what A's endpoint issued identifies the device to whoever sees it.
// Fails firmware that keeps its sessions without the name that they belong to.
void sessions_stay_with_their_account(Bench& bench) {
  const cloud::Place a = bench.account_a();
  const std::uint64_t laid_out = bench.lay_out(
      {{a, cloud::CertificateMode::default_mode, true}, {bench.account_b(), cloud::CertificateMode::sni_only, true}});
  if (!bench.await_served(laid_out, bench.reconnect_limit())) throw Inconclusive("not served in A before the move");
  give_out_sessions(bench);
  (void)collect_sessions(bench);
  bench.cloud().set_deviation({});
  const std::uint64_t before = bench.now();
  bench.move_to(bench.account_b());
  const std::uint64_t confirmed = bench.now();
  const auto to_b = [&](const Evidence& piece) {
    return piece.text("origin") == "unit" && piece.kind == "connack" &&
           piece.text("account") == bench.account_b().account;
  };
  if (!bench.await(to_b, before, bench.reconnect_limit())) throw Inconclusive("not served in B after the move");
  use_up_sessions_of(bench, bench.account_b().account);
  (void)bench.await_served(bench.reset_unit(), bench.connect_limit());
  for (const Hello& hello : bench.hellos_since(before)) {
    if (!is_to_new_endpoint(hello, bench.configured_name(), confirmed)) continue;
    bench.opportunity(hello.evidence);
    expect_nothing_of(bench, a.account, hello);
  }
}

// Gives the unit sessions under one certificate, and then another certificate; the former one is revoked.
// Assures that a rotation takes effect: a resumed session speaks for the certificate with which it began.
// Fails firmware that forgets its sessions only when it is erased.
void sessions_end_with_their_certificate(Bench& bench) {
  give_out_sessions(bench);
  const std::string former = bench.certificate_id();
  const std::set<std::string> old_sessions = collect_sessions(bench);
  const std::uint64_t mark = bench.rotate_identity(bench.account_a());
  const auto with_new = [&](const Evidence& piece) {
    return piece.text("origin") == "unit" && piece.kind == "connack" &&
           piece.text("certificate_id") == bench.certificate_id();
  };
  if (!bench.await(with_new, mark, bench.reconnect_limit())) throw Inconclusive("not served with its new certificate");
  (void)bench.await_served(bench.reset_unit(), bench.connect_limit());
  for (const Hello& hello : bench.hellos_since(mark)) {
    bench.opportunity(hello.evidence);
    for (const Offer& offer : hello.offers) {
      const bool is_old = old_sessions.count(offer.id) > 0 || (offer.ours && offer.certificate_id == former);
      if (!is_old) continue;
      bench.findings().failures.push_back(
          fmt::format("ClientHello #{} offers a {} that was issued under the former certificate",
                      hello.evidence->number, offer.kind));
    }
  }
}

}  // namespace

void add_session_cases(std::vector<Case>& cases) {
  cases.push_back({.id = "SNI-04",
                   .area = "sni",
                   .title = "the name is there when a session is resumed",
                   .demand = "a ClientHello that offers a session to resume carries the name too",
                   .source = "the service's rule: SNI_ONLY reads the name of every connection",
                   .needs = {Capability::reset, Capability::resume},
                   .defects = {"sni-lost-on-resume"},
                   .depends_on = {"LIFE-06", "SNI-01", "SNI-02"},
                   .opportunity = "a ClientHello that offers a session",
                   .body = resumption_carries_the_name,
                   .file = __FILE__,
                   .line = __LINE__});
  cases.push_back({.id = "SNI-07",
                   .area = "sni",
                   .title = "no session of one account is offered to another",
                   .demand = "no ticket, PSK identity or session id that account A's endpoint issued is offered to B's",
                   .source = "RFC 8446 section 4.6.1; TLS 1.2 has no such rule and is warned of",
                   .needs = {Capability::reset, Capability::endpoint, Capability::resume},
                   .defects = {"ticket-shared-across-hosts"},
                   .depends_on = {"LIFE-06", "SNI-01", "SNI-02", "SNI-06"},
                   .opportunity = "a ClientHello to B's endpoint",
                   .body = sessions_stay_with_their_account,
                   .file = __FILE__,
                   .line = __LINE__});
  cases.push_back({.id = "PROV-15",
                   .area = "provisioning",
                   .level = Level::should,
                   .title = "no session outlives its certificate",
                   .demand = "after its certificate was replaced no session made under the former one is offered",
                   .source = "RFC 8446 section 2.2: a resumed session keeps the identity with which it began",
                   .needs = {Capability::reset, Capability::install, Capability::resume},
                   .defects = {"resumes-old-identity"},
                   .depends_on = {"LIFE-06", "SNI-02"},
                   .opportunity = "a ClientHello after the replacement",
                   .body = sessions_end_with_their_certificate,
                   .file = __FILE__,
                   .line = __LINE__});
}

}  // namespace hilmark::suites
