// What a device makes of DNS: aliases, addresses that move, and endpoints that cannot be reached.
#include <algorithm>
#include <optional>

#include "fixtures/network/black_hole.h"
#include "suites/areas.h"
#include "suites/bench.h"
#include "suites/impostors.h"
#include "suites/matchers.h"
#include "suites/name_questions.h"

namespace hilmark::suites {
namespace {

using cloud::CertificateMode;
using network::NameAnswer;

// Loopback addresses that no region listens on.
constexpr const char* former_address = "127.0.9.1";
constexpr const char* refusing_address = "127.0.9.2";
constexpr const char* silent_address = "127.0.9.3";

std::string endpoint_of(Bench& bench, const cloud::Place& place) { return bench.account(place).endpoint_name(); }

/// The connection of a served unit, as it was accepted.
EvidencePtr accepted_as(Bench& bench, const EvidencePtr& served) {
  for (const EvidencePtr& accepted : bench.seen("tcp_accepted", 0)) {
    if (accepted->connection == served->connection) return accepted;
  }
  throw Inconclusive("the connection's beginning is not in evidence any more");
}

bool came_by(const Evidence& accepted, const std::string& address) {
  return accepted.text("local").rfind(address + ":", 0) == 0;
}

/// What the rig has to be able to make.
template <class T>
T made(Result<T> result) {
  if (!result) throw RigTrouble(result.error());
  return std::move(*result);
}

/// The endpoint at a second address, for as long as this lives.
class FurtherAddress {
 public:
  FurtherAddress(cloud::Cloud& cloud, const std::string& region, std::string address)
      : cloud_(cloud), address_(std::move(address)) {
    if (const auto opened = cloud.listen_at(region, address_); !opened) throw RigTrouble(opened.error());
  }
  FurtherAddress(const FurtherAddress&) = delete;
  FurtherAddress& operator=(const FurtherAddress&) = delete;
  ~FurtherAddress() { cloud_.stop_listening_at(address_); }

 private:
  cloud::Cloud& cloud_;
  const std::string address_;
};

// DNS answers the endpoint's name by a CNAME, as it does for custom domains.
// Assures that what is asked of the server, and believed of it, is the name that was configured.
// Fails firmware that takes over the name that its resolver hands back.
void name_behind_an_alias(Bench& bench) {
  network::Resolver& resolver = bench.resolver();
  const std::string name = bench.configured_name();
  const std::string canonical = "custom-domain-target.hilmark.test";
  const std::string address = bench.cloud().listen_address(bench.account_a().region);
  resolver.deviate(name, {.address = address, .canonical_name = canonical});
  const std::uint64_t mark = bench.reset_unit();
  const EvidencePtr answer = bench.await(of_questions("dns_answer", name), mark, bench.connect_limit());
  if (!answer) throw Inconclusive("it did not ask for its endpoint after a reset");
  bench.rests_on(answer);
  const auto hello = bench.await_hello(mark, bench.connect_limit());
  if (!hello) throw Inconclusive("no ClientHello after an answer by a CNAME");
  bench.opportunity(hello->evidence);
  EXPECT_THAT(*hello, CarriesServerName(name)) << "where " << canonical << " is its canonical name";
  if (testing::Test::HasFailure()) return;
  const EvidencePtr served = bench.await_served(mark, bench.connect_limit());
  ASSERT_TRUE(served) << "not served within " << in_ms(bench.connect_limit()) << " of a reset, with its endpoint "
                      << "behind a CNAME and a certificate for the name that it was given";
  bench.rests_on(served);
  expect_refusal(bench,
                 {"canonical name's", {.name = name, .fault = pki::ServerFault::wrong_san, .other_name = canonical}});
}

/// Served by the endpoint at `former_address`, and knows that for the unit's dns_ttl.
void serve_at_former_address(Bench& bench) {
  const std::string name = bench.configured_name();
  const auto ttl_s = std::chrono::duration_cast<std::chrono::seconds>(bench.info().timing.dns_ttl).count();
  bench.resolver().deviate(name, {.address = former_address, .ttl_seconds = static_cast<std::uint32_t>(ttl_s)});
  const std::uint64_t mark = bench.reset_unit();
  const EvidencePtr served = bench.await_served(mark, bench.connect_limit());
  if (!served) throw Inconclusive("not served after a reset, at the address from which its endpoint is to move");
  if (!came_by(*accepted_as(bench, served), former_address)) {
    throw Inconclusive(fmt::format("after a reset it did not dial {}, where its endpoint was", former_address));
  }
  bench.opportunity(served);
}

/// When the newest answer with `former_address` holds no longer: from now on.
Milliseconds until_expiry(Bench& bench, std::uint64_t after) {
  const auto answers = bench.all(
      [](const Evidence& piece) { return piece.kind == "dns_answer" && piece.text("address") == former_address; },
      after);
  if (answers.empty()) return Milliseconds{0};
  return std::max(Milliseconds{0}, bench.info().timing.dns_ttl - bench.since(answers.back()->at));
}

void expect_new_address(Bench& bench, bool silent) {
  const std::string address = bench.cloud().listen_address(bench.account_a().region);
  const std::uint16_t port = bench.cloud().mqtt_port(bench.account_a().region);
  const std::uint64_t before = bench.now();
  const FurtherAddress former(bench.cloud(), bench.account_a().region, former_address);
  serve_at_former_address(bench);
  bench.resolver().restore();
  const std::uint64_t mark = bench.now();
  bench.cloud().stop_listening_at(former_address);
  std::optional<network::BlackHole> hole;
  if (silent) hole = made(network::BlackHole::open(former_address, port));
  bench.drop_connections();
  // A dial that was begun before the expiry may hang for as long as a reconnection may take.
  const Milliseconds patience = std::max(bench.connect_limit(), bench.reconnect_limit());
  const Milliseconds limit = until_expiry(bench, before) + patience;
  const EvidencePtr dialled = bench.await(
      [&](const Evidence& piece) {
        return piece.kind == "tcp_accepted" && piece.text("origin") == "unit" && came_by(piece, address);
      },
      mark, limit);
  bench.rests_on(dialled);
  ASSERT_TRUE(dialled) << "its endpoint's address moved, and it did not dial the new one within " << in_ms(patience)
                       << " of the old answer's expiry; questions since: "
                       << bench.all(of_questions("dns_question", bench.configured_name()), mark).size();
  const EvidencePtr served = bench.await_served(mark, bench.reconnect_limit());
  bench.rests_on(served);
  EXPECT_TRUE(served) << "not served at the new address within " << in_ms(bench.reconnect_limit());
}

// The endpoint's name leads to another address; what was there before refuses, and in a second run says nothing.
// Assures that a device follows the service, whose addresses change all the time.
// Fails firmware that asks once a boot, or that never asks again while its old address is not reached.
void address_moves(Bench& bench) {
  (void)bench.resolver();
  for (const bool silent : {false, true}) {
    SCOPED_TRACE(silent ? "the old address is a black hole" : "the old address refuses");
    expect_new_address(bench, silent);
    if (testing::Test::HasFailure()) return;
  }
}

// A and B are in regions with an address each; both know the CA in DEFAULT mode.
// Assures that a move takes the address along with the name.
// Fails firmware that keeps the name or the address of its first endpoint.
void to_another_region(Bench& bench) {
  (void)bench.resolver();
  const cloud::Place target = bench.account_b_elsewhere();
  const std::uint64_t laid_out = bench.lay_out(
      {{bench.account_a(), CertificateMode::default_mode, true}, {target, CertificateMode::default_mode, false}});
  const EvidencePtr before = bench.await_served(laid_out, bench.reconnect_limit());
  if (!before) throw Inconclusive("not served in account A before the move");
  bench.opportunity(before);
  const std::uint64_t mark = bench.now();
  bench.move_to(target);
  const auto in_target = [&](const Evidence& piece) {
    return piece.text("origin") == "unit" && piece.text("region") == target.region;
  };
  const EvidencePtr served = bench.await_registered_and_served(mark, bench.reconnect_limit(), in_target);
  for (const EvidencePtr& question : bench.all(of_questions("dns_question", bench.configured_name()), mark)) {
    bench.rests_on(question);
  }
  ASSERT_TRUE(served) << "told the endpoint of account " << target.account << " in " << target.region
                      << ", it was not served there within " << in_ms(bench.reconnect_limit())
                      << "; questions for its name since: "
                      << bench.all(of_questions("dns_question", bench.configured_name()), mark).size()
                      << ", connections since: " << bench.seen("tcp_accepted", mark).size();
  bench.rests_on(served);
  EXPECT_THAT(Landing::from(served),
              testing::AllOf(LandedIn(target.account), InMode(name_of(CertificateMode::default_mode)),
                             WithCertificate(bench.certificate_id())));
}

struct Fault {
  const char* name;
  NameAnswer answer;  ///< of B's name
};

/// Told B's endpoint, which the fault hides; then A's again.
void expect_way_back(Bench& bench, const Fault& fault) {
  SCOPED_TRACE(fault.name);
  const std::string b_name = endpoint_of(bench, bench.account_b());
  bench.resolver().deviate(b_name, fault.answer);
  const std::uint64_t mark = bench.now();
  bench.move_to(bench.account_b());
  const EvidencePtr question = bench.await(of_questions("dns_question", b_name), mark, bench.connect_limit());
  if (!question) throw Inconclusive("told B's endpoint, it did not ask for its address");
  bench.opportunity(question);
  bench.watch(std::min(bench.watch_window(), Milliseconds{300'000}));
  const std::uint64_t back = bench.now();
  try {
    bench.move_to(bench.account_a());
  } catch (const Inconclusive& refusal) {
    throw ClaimFailed(
        fmt::format("with B out of reach ({}) it does not take A's endpoint: {}", fault.name, refusal.what()));
  }
  const EvidencePtr served = bench.await_served(back, bench.reconnect_limit());
  ASSERT_TRUE(served) << "B was out of reach, and told A's endpoint again it was not served within "
                      << in_ms(bench.reconnect_limit());
  bench.rests_on(served);
  EXPECT_THAT(Landing::from(served),
              testing::AllOf(LandedIn(bench.account_a().account), WithCertificate(bench.certificate_id())));
}

// The unit is told B's endpoint, which refuses, says nothing, or has no address; then A's again.
// Assures that a mistyped endpoint, or a dead one, does not cost the device.
// Fails firmware that takes orders only while it is connected, or tries one endpoint until it is reached.
void out_of_reach_and_back(Bench& bench) {
  (void)bench.resolver();
  using Form = NameAnswer::Form;
  const Fault faults[] = {{"B's address refuses", {.address = refusing_address}},
                          {"B's address is a black hole", {.address = silent_address}},
                          {"B's name does not exist (NXDOMAIN)", {.form = Form::name_error}},
                          {"the name server fails (SERVFAIL)", {.form = Form::server_failure}},
                          {"the name server is silent", {.form = Form::silence}}};
  const std::uint64_t laid_out = bench.lay_out(
      {{bench.account_a(), CertificateMode::default_mode, true}, {bench.account_b(), CertificateMode::sni_only, true}});
  if (!bench.await_served(laid_out, bench.reconnect_limit())) throw Inconclusive("not served in A before the move");
  const auto hole = made(network::BlackHole::open(silent_address, bench.cloud().mqtt_port(bench.account_b().region)));
  for (const Fault& fault : faults) {
    expect_way_back(bench, fault);
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace

void add_resolver_cases(std::vector<Case>& cases) {
  cases.push_back(
      {.id = "SNI-12",
       .area = "sni",
       .title = "the configured name, not the canonical one",
       .demand = "where DNS answers by a CNAME, the name sent and the name verified are the configured one: served "
                 "with a certificate for it, and one for the canonical name is refused",
       .source = "RFC 9525 section 6.2, RFC 6066 section 3",
       .needs = {Capability::reset},
       .defects = {"sni-from-cname"},
       .depends_on = {"LIFE-06", "SNI-01", "SNI-02", "SNI-03", "TLS-04"},
       .opportunity = "a ClientHello after an answer by a CNAME",
       .body = name_behind_an_alias,
       .file = __FILE__,
       .line = __LINE__});
  cases.push_back(
      {.id = "MOVE-03",
       .area = "move",
       .title = "to another region",
       .demand = "from DEFAULT in A to DEFAULT in B in another region, each behind an address of its own: the unit "
                 "resolves and dials the new one, and is served in B with the same certificate id",
       .source = "house rule H4: one identity, many accounts; house rule H2",
       .needs = {Capability::endpoint},
       .defects = {"sni-stale", "dns-stale"},
       .depends_on = {"LIFE-06", "SNI-02", "SNI-03", "MODE-01", "MOVE-01"},
       .opportunity = "a served connection in A",
       .body = to_another_region,
       .file = __FILE__,
       .line = __LINE__});
  cases.push_back({.id = "MOVE-06",
                   .area = "move",
                   .title = "B is out of reach, and it comes back to A",
                   .demand =
                       "B's address refuses or is a black hole, its name does not exist, the name server fails or is "
                       "silent: the unit takes A's endpoint within the command limit, and is served there within the "
                       "reconnect limit",
                   .source = "house rule H1",
                   .needs = {Capability::endpoint},
                   .defects = {"move-bricks"},
                   .depends_on = {"LIFE-06", "SNI-02", "SNI-03", "MODE-01", "MOVE-01", "MOVE-03", "MOVE-04"},
                   .opportunity = "a question for B's address",
                   .waits = true,
                   .body = out_of_reach_and_back,
                   .file = __FILE__,
                   .line = __LINE__});
  cases.push_back({.id = "LIFE-03",
                   .area = "lifecycle",
                   .title = "its endpoint's address moves",
                   .demand =
                       "the name's address changes, and the old one refuses or is a black hole: the new one is dialled "
                       "within the connect limit of the old answer's expiry, or the reconnect limit if that is longer",
                   .source = "RFC 1035 section 3.2.1; house rule H1",
                   .needs = {Capability::reset},
                   .defects = {"dns-cached-forever"},
                   .depends_on = {"LIFE-06", "SNI-02", "SNI-03", "MODE-01"},
                   .opportunity = "a served connection at the old address",
                   .waits = true,
                   .body = address_moves,
                   .file = __FILE__,
                   .line = __LINE__});
}

}  // namespace hilmark::suites
