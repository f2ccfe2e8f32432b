// sni: what becomes of the name when the endpoint does not simply go on: HelloRetryRequest, unrecognized_name.
#include "suites/areas.h"
#include "suites/attempts.h"
#include "suites/bench.h"
#include "suites/matchers.h"

namespace hilmark::suites {
namespace {

/// The server_name extensions of a ClientHello, octet for octet.
std::string names_in_hex(const Evidence& hello) {
  std::string text = std::to_string(hello.number_of("server_name_extensions")) + " extension(s):";
  for (const auto& entry : hello.data.at("server_names").as_array()) {
    const auto& name = entry.as_object();
    text += fmt::format(" {}:{}", name.at("type").to_number<int>(), std::string(name.at("name_hex").as_string()));
  }
  return text;
}

// Answers a ClientHello by HelloRetryRequest, for a group that it knows and sent no key share for.
// Assures that the name is part of the ClientHello on which the handshake goes on.
// Fails firmware whose second ClientHello is built from less than the first.
void name_repeated_after_hello_retry(Bench& bench) {
  bench.cloud().set_deviation({.tls = {.hello_retry = true}});
  const std::uint64_t mark = bench.drop_connections();
  const EvidencePtr asked = bench.await_kind("deviation", mark, bench.reconnect_limit());
  if (!asked) throw Inconclusive("no ClientHello of TLS 1.3 within " + in_ms(bench.reconnect_limit()) + " of a close");
  if (asked->text("group").empty()) {
    throw NotApplicable("no second group: it sent a key share for each group that it knows");
  }
  const auto hello = [&](bool second) {
    return [&asked, second](const Hello& each) {
      return each.malformed.empty() && each.evidence->connection == asked->connection &&
             each.evidence->flag("after_hello_retry") == second;
    };
  };
  const auto first = bench.await_hello(mark, bench.info().timing.handshake, hello(false));
  const auto second = bench.await_hello(mark, bench.info().timing.handshake, hello(true));
  if (!first || !second) throw Inconclusive("no second ClientHello followed the HelloRetryRequest");
  bench.rests_on(first->evidence);
  bench.opportunity(second->evidence);
  const std::string before = names_in_hex(*first->evidence);
  const std::string after = names_in_hex(*second->evidence);
  if (before == after) return;
  bench.findings().failures.push_back(fmt::format(
      "ClientHello #{}, after a HelloRetryRequest, does not repeat the server_name of #{} octet for octet: {} "
      "where it was {}",
      second->evidence->number, first->evidence->number, after, before));
}

/// RFC 6066 section 3, RFC 8446 section 6; close_notify, with which the rig ends connections, is an alert, too.
constexpr std::int64_t unrecognized_name = 112;

EvidencePtr await_refusal_of(Bench& bench, const Hello& hello) {
  return bench.await(
      [&](const Evidence& piece) {
        return of_unit(piece) && piece.kind == "alert_sent" && piece.number_of("code") == unrecognized_name &&
               piece.connection == hello.evidence->connection;
      },
      hello.evidence->number, bench.info().timing.handshake);
}

// Answers all ClientHellos by a fatal unrecognized_name alert for a while, three at least, and then none.
// Assures that a device whose name is not known yet does not turn itself into one that nobody can route.
// Fails firmware that takes the alert for a server which knows no SNI, that tries again without a pause, or never.
void name_kept_after_unrecognized_name(Bench& bench) {
  constexpr int refusals = 3;
  bench.cloud().set_deviation({.tls = {.refuse_name = true}});
  const std::uint64_t mark = bench.drop_connections();
  const SteadyTime begun = bench.time();
  std::uint64_t last = mark;
  std::uint64_t first_alert = 0;
  const auto judge = [&](const Hello& hello) {
    bench.opportunity(hello.evidence);
    EXPECT_THAT(hello, CarriesServerName(bench.configured_name())) << "after an unrecognized_name alert";
  };
  for (int refused = 0; refused < refusals || bench.since(begun) < refusal_time(bench);) {
    const auto hello = bench.await_hello(last, bench.reconnect_limit());
    if (!hello && refused == 0) throw Inconclusive("no ClientHello came that could be refused");
    if (!hello) throw ClaimFailed("it did not try again within " + in_ms(bench.reconnect_limit()) + " of the alert");
    if (refused > 0) judge(*hello);
    if (testing::Test::HasFailure()) return;
    const EvidencePtr alert = await_refusal_of(bench, *hello);
    if (!alert) throw Inconclusive(fmt::format("ClientHello #{} was not refused by its name", hello->evidence->number));
    last = alert->number;
    if (++refused == 1) first_alert = last;
  }
  expect_no_storm(bench, mark);
  bench.cloud().set_deviation({});
  const EvidencePtr served = bench.await_served(last, bench.reconnect_limit());
  for (const Hello& hello : bench.hellos_since(first_alert)) judge(hello);
  EXPECT_TRUE(served) << "not served within " << in_ms(bench.reconnect_limit()) << " of the last alert";
  bench.rests_on(served);
}

}  // namespace

void add_sni_answer_cases(std::vector<Case>& cases) {
  cases.push_back({.id = "SNI-05",
                   .area = "sni",
                   .title = "same name after a HelloRetryRequest",
                   .demand = "after HelloRetryRequest the second ClientHello repeats server_name octet for octet",
                   .source = "RFC 8446 section 4.1.2",
                   .needs = {Capability::reset, Capability::tls13},
                   .defects = {"sni-lost-on-hrr"},
                   .depends_on = {"LIFE-06", "SNI-01", "SNI-02"},
                   .opportunity = "a second ClientHello",
                   .body = name_repeated_after_hello_retry,
                   .file = __FILE__,
                   .line = __LINE__});
  cases.push_back(
      {.id = "SNI-10",
       .area = "sni",
       .level = Level::should,
       .title = "keeps the name after unrecognized_name",
       .demand = "fatal unrecognized_name alerts, for 60 s, lead to retries with back-off, not to one without SNI",
       .source = "RFC 6066 section 3; the service's rule for SNI_ONLY",
       .needs = {Capability::reset},
       .defects = {"sni-drop-on-alert", "reconnect-storm", "give-up-after-refusal"},
       .depends_on = {"LIFE-06", "SNI-01", "SNI-02"},
       .opportunity = "a retry after the alert",
       .waits = true,
       .body = name_kept_after_unrecognized_name,
       .file = __FILE__,
       .line = __LINE__});
}

}  // namespace hilmark::suites
