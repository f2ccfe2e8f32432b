// sni: the server name, without which a certificate authority cannot be shared.
#include <optional>

#include "suites/areas.h"
#include "suites/bench.h"
#include "suites/matchers.h"
#include "suites/name_questions.h"
#include "suites/service_ports.h"

namespace hilmark::suites {
namespace {

/// The first ClientHello after a reset; without one nothing can be judged.
Hello first_hello(Bench& bench) {
  const std::uint64_t mark = bench.reset_unit();
  const auto hello = bench.await_hello(mark, bench.connect_limit());
  if (!hello) throw Inconclusive("no ClientHello within " + in_ms(bench.connect_limit()) + " of a reset");
  bench.opportunity(hello->evidence);
  return *hello;
}

// Resets the unit and reads its first ClientHello.
// Assures that the service can tell whose device it is: without the name an SNI_ONLY account never sees it.
// Fails firmware that leaves the extension out, sends it empty, or sends two names.
void carries_one_host_name(Bench& bench) { EXPECT_THAT(first_hello(bench), CarriesExactlyOneHostName()); }

// Resets the unit and compares the name in its first ClientHello with the endpoint that the rig configured.
// Assures that the name is the endpoint's, and in the form that RFC 6066 demands.
// Fails firmware that sends the address it dialled, a trailing dot, or host:port.
void name_is_the_endpoint(Bench& bench) { EXPECT_THAT(first_hello(bench), CarriesServerName(bench.configured_name())); }

/// The next ClientHello after `provoke`, which returns the mark to look from, carries the name. That a device comes
/// back at all is another case's claim.
void expect_name_after(
    Bench& bench, const char* what, const std::function<std::uint64_t()>& provoke,
    const std::function<bool(const Hello&)>& which = [](const Hello&) { return true; }) {
  const std::uint64_t mark = provoke();
  const auto hello = bench.await_hello(mark, bench.reconnect_limit(), which);
  if (!hello) {
    throw Inconclusive(fmt::format("no ClientHello within {} after {}", in_ms(bench.reconnect_limit()), what));
  }
  bench.opportunity(hello->evidence);
  EXPECT_THAT(*hello, CarriesServerName(bench.configured_name())) << "after " << what;
}

/// Within the server's first flight: a ServerHello is shorter than that, its certificates are longer.
constexpr std::size_t begun_flight_bytes = 300;

/// The next handshake is cut by a TCP reset.
void expect_name_after_cut(Bench& bench, const char* what, const cloud::TcpDeviation& cut) {
  bench.cloud().set_deviation({.tcp = cut, .connections = 1});
  std::uint64_t cut_connection = 0;
  expect_name_after(
      bench, what,
      [&] {
        const std::uint64_t mark = bench.drop_connections();
        const EvidencePtr met = bench.await_kind("deviation", mark, bench.reconnect_limit());
        if (!met) throw Inconclusive("no connection came whose handshake could be cut");
        cut_connection = met->connection;
        return mark;
      },
      [&](const Hello& hello) { return hello.evidence->connection > cut_connection; });
}

// Makes the unit connect anew by a close, by a reset, and twice by a TCP reset in the middle of its handshake.
// Assures that the name is part of every connection, not of the first one alone.
// Fails firmware that sets the name on a TLS context which it frees, or only on the path of its first boot.
void same_name_on_every_reconnection(Bench& bench) {
  expect_name_after(bench, "a close", [&] { return bench.drop_connections(); });
  const std::uint64_t reset_at = bench.now();
  expect_name_after(bench, "a reset", [&] { return bench.reset_unit(); });
  if (!bench.await_served(reset_at, bench.connect_limit())) throw Inconclusive("not served again after a reset");
  expect_name_after_cut(bench, "a TCP reset at its ClientHello", {.reset_after_client_hello = true});
  expect_name_after_cut(bench, "a TCP reset in the server's flight", {.reset_after_sent = begun_flight_bytes});
}

/// A ClientHello for MQTT after `mark`, within the limit.
bool came(Bench& bench, std::uint64_t mark, Milliseconds limit) {
  return bench.await_hello(mark, limit, [](const Hello& hello) { return !is_meant_for_https(hello); }).has_value();
}

/// In requests on the connections of these ClientHellos.
void expect_no_request_to(Bench& bench, const std::string& old_name, const std::vector<Hello>& hellos) {
  std::size_t requests = 0;
  for (const Hello& hello : hellos) {
    for (const EvidencePtr& request : bench.seen("http_request", hello.evidence->number)) {
      if (request->connection != hello.evidence->connection) continue;
      ++requests;
      if (!same_name(host_without_port(request->text("host")), old_name)) continue;
      bench.rests_on(request);
      ADD_FAILURE() << "HTTP request #" << request->number << " is for the Host " << request->text("host")
                    << ", the old name";
    }
  }
  bench.note(fmt::format("HTTP requests whose Host was judged: {}", requests));
}

// Moves the unit from account A to B, has it connect anew, watches it for a while, and resets it. Of one that publishes
// by HTTPS the requests are read as well.
// Assures that nothing of the old account's name outlives the change.
// Fails firmware that keeps the name in a cached TLS context, a session store or an HTTP client.
void new_name_after_a_move(Bench& bench) {
  std::optional<FurtherPort> https;
  try {
    if (bench.can(Capability::https)) https.emplace(bench, cloud::Listener::https, https_port);
  } catch (const NotApplicable& why) {
    bench.note(fmt::format("its HTTPS was not watched: {}", why.what()));
  }
  const std::uint64_t laid_out = bench.lay_out({{bench.account_a(), cloud::CertificateMode::default_mode, true},
                                                {bench.account_b(), cloud::CertificateMode::sni_only, true}});
  if (!bench.await_served(laid_out, bench.reconnect_limit())) throw Inconclusive("not served in A before the move");
  bench.move_to(bench.account_b());
  // Its first connection may have come before its confirmation did, so that another is provoked.
  const std::uint64_t mark = bench.drop_connections();
  const bool came_at_once = came(bench, mark, bench.reconnect_limit());
  bench.watch(bench.watch_window());
  // What it knew of addresses holds no longer, so that it asks again.
  const bool came_again = came(bench, bench.drop_connections(), bench.reconnect_limit());
  const bool came_after_reset = came(bench, bench.reset_unit(), bench.connect_limit());
  const auto hellos = bench.hellos_since(mark);
  for (const Hello& hello : hellos) {
    // That HTTPS has a name at all is another case's claim.
    if (is_meant_for_https(hello) && hello.names.empty()) continue;
    bench.opportunity(hello.evidence);
    EXPECT_THAT(hello, CarriesServerName(bench.configured_name()));
  }
  const std::string old_name = bench.account(bench.account_a()).endpoint_name();
  expect_no_question_for(bench, old_name, mark);
  if (https) expect_no_request_to(bench, old_name, hellos);
  if (!came_at_once || !came_again) {
    throw Inconclusive("no ClientHello within " + in_ms(bench.reconnect_limit()) + " of a close after the move");
  }
  if (!came_after_reset) {
    throw Inconclusive("no ClientHello within " + in_ms(bench.connect_limit()) + " of the reset after the move");
  }
}

}  // namespace

void add_sni_cases(std::vector<Case>& cases) {
  cases.push_back({.id = "SNI-01",
                   .area = "sni",
                   .title = "exactly one host name in the ClientHello",
                   .demand = "the ClientHello carries exactly one server_name extension with exactly one name, of type "
                             "host_name",
                   .source = "RFC 8446 section 4.2, RFC 6066 section 3; its presence is the service's rule",
                   .needs = {Capability::reset},
                   .defects = {"no-sni", "sni-empty", "sni-two-names"},
                   .opportunity = "a ClientHello",
                   .start = Case::Start::as_it_is,
                   .body = carries_one_host_name,
                   .file = __FILE__,
                   .line = __LINE__});
  cases.push_back({.id = "SNI-02",
                   .area = "sni",
                   .title = "the name is the configured endpoint",
                   .demand =
                       "host_name equals the endpoint that was configured: compared without case, no trailing dot, "
                       "no port, no scheme, no IP literal",
                   .source = "RFC 6066 section 3",
                   .needs = {Capability::reset},
                   .defects = {"sni-ip-literal", "sni-trailing-dot", "sni-with-port"},
                   .depends_on = {"SNI-01"},
                   .opportunity = "a ClientHello",
                   .start = Case::Start::as_it_is,
                   .body = name_is_the_endpoint,
                   .file = __FILE__,
                   .line = __LINE__});
  cases.push_back({.id = "SNI-03",
                   .area = "sni",
                   .title = "same name on every reconnection",
                   .demand = "the same name after a close, after a reset, and after a TCP reset in mid-handshake",
                   .source = "RFC 6066 section 3; the service reads the name of every connection",
                   .needs = {Capability::reset},
                   .defects = {"sni-first-only"},
                   .depends_on = {"LIFE-06", "MQTT-10", "SNI-01", "SNI-02"},
                   .opportunity = "a ClientHello of a reconnection",
                   .body = same_name_on_every_reconnection,
                   .file = __FILE__,
                   .line = __LINE__});
  cases.push_back({.id = "SNI-06",
                   .area = "sni",
                   .title = "only the new name after a move",
                   .demand =
                       "from the first ClientHello after the change is confirmed every name is the new endpoint's, "
                       "over one reset as well, and neither a DNS question nor an HTTP request is for the old one",
                   .source = "RFC 6066 section 3; the service's rule for SNI_ONLY",
                   .needs = {Capability::reset, Capability::endpoint},
                   .defects = {"sni-stale", "dns-stale", "http-host-stale"},
                   .depends_on = {"LIFE-06", "SNI-01", "SNI-02", "SNI-03"},
                   .opportunity = "a ClientHello after the change",
                   .waits = true,
                   .body = new_name_after_a_move,
                   .file = __FILE__,
                   .line = __LINE__});
}

}  // namespace hilmark::suites
