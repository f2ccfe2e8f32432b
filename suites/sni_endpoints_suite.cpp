// sni: the endpoint's other names, ports and protocols: a custom domain, port 443, HTTPS.
#include <map>

#include "suites/areas.h"
#include "suites/bench.h"
#include "suites/matchers.h"
#include "suites/name_questions.h"
#include "suites/service_ports.h"

namespace hilmark::suites {
namespace {

using cloud::Listener;

/// 253 octets, as long as a name can be (RFC 1035 section 2.3.4), with labels of 63.
std::string longest_name() {
  constexpr std::string_view tail = "123456789-abcdefghijklmnopqrstuvwxyz-0123456789-longest-labels";
  static_assert(tail.size() == 62);
  return fmt::format("a{0}.b{0}.c{0}.{1}.hilmark.test", tail, tail.substr(14));
}

/// What is left of `name` in DNS, where no ClientHello follows: a question for its beginning alone.
void expect_whole_question(Bench& bench, const std::string& name, std::uint64_t mark) {
  const auto asks = of_questions("dns_question");
  const auto cut = bench.all(
      [&](const Evidence& piece) {
        const std::string asked = piece.text("name");
        return asks(piece) && !asked.empty() && asked.size() < name.size() &&
               same_name(asked, name.substr(0, asked.size()));
      },
      mark);
  if (cut.empty()) return;
  bench.opportunity(cut.front());
  throw ClaimFailed(fmt::format("DNS question #{} is for the first {} octets of a name of {}: {}", cut.front()->number,
                                cut.front()->text("name").size(), name.size(), cut.front()->text("name")));
}

// Gives account A a custom domain as long as a name can be, by a certificate that has it in its SAN alone, and moves
// the unit there. Assures that an endpoint is not limited by the length of the names that its makers had seen.
// Fails firmware that copies the name into a buffer which is too small for it.
void longest_name_is_sent_whole(Bench& bench) {
  const WayHome way_home(bench);
  const std::string name = longest_name();
  const std::string old_name = bench.configured_name();
  const EndpointAddress domain = bench.address_of_domain(bench.account_a(), name);
  const std::uint64_t mark = bench.now();
  if (const auto refusal = bench.refusal_of(domain)) {
    bench.opportunity(bench.remark("endpoint_refused", {{"name", name}, {"why", *refusal}}));
    return bench.warn(fmt::format("it does not take an endpoint name of {} octets: {}", name.size(), *refusal));
  }
  bench.opportunity(bench.remark("endpoint_taken", {{"name", name}}));
  // One that was under way before its confirmation may carry the old name.
  const auto hello = bench.await_hello(mark, bench.reconnect_limit(), [&](const Hello& each) {
    return each.names.size() != 1 || !same_name(each.names[0].name, old_name);
  });
  if (!hello) {
    expect_whole_question(bench, name, mark);
    throw ClaimFailed(
        fmt::format("it took an endpoint name of {} octets, and within {} sent no ClientHello with another name than "
                    "its old one; ClientHellos with that: {}",
                    name.size(), in_ms(bench.reconnect_limit()), bench.hellos_since(mark).size()));
  }
  bench.opportunity(hello->evidence);
  EXPECT_THAT(*hello, CarriesServerName(name)) << "of the name's " << name.size() << " octets it sent "
                                               << (hello->names.empty() ? 0 : hello->names.front().name.size());
  if (testing::Test::HasFailure()) return;
  const EvidencePtr served = bench.await_served(hello->evidence->number, bench.reconnect_limit());
  bench.rests_on(served);
  EXPECT_TRUE(served) << "it sent the name, and was not served within " << in_ms(bench.reconnect_limit())
                      << " by an endpoint whose certificate has it in its SAN alone";
}

// Moves the unit to port 443 of its endpoint, where the service tells MQTT from HTTPS by ALPN alone.
// Assures that it is served where firewalls let nothing but 443 pass.
// Fails firmware that changes the port and nothing else, or offers a protocol of its own invention: taken for HTTPS by
// the one, refused with no_application_protocol by the other.
void alpn_on_port_443(Bench& bench) {
  const FurtherPort port(bench, Listener::alpn, alpn_port);
  const WayHome way_home(bench);
  EndpointAddress there = bench.address_of(bench.account_a());
  there.port = alpn_port;
  const std::uint64_t mark = bench.now();
  bench.move_to(there);
  const auto hello = bench.await_hello(mark, bench.connect_limit(), [](const Hello& each) {
    return each.listener == name_of(Listener::alpn) && !is_meant_for_https(each);
  });
  if (!hello) {
    throw Inconclusive(
        fmt::format("told port {}, it sent no ClientHello there within {}", alpn_port, in_ms(bench.connect_limit())));
  }
  bench.opportunity(hello->evidence);
  EXPECT_THAT(*hello, OffersProtocol(mqtt_protocol));
  EXPECT_THAT(*hello, CarriesServerName(bench.configured_name())) << "on port " << alpn_port;
  if (testing::Test::HasFailure()) return;
  const EvidencePtr served = bench.await_served(hello->evidence->number, bench.reconnect_limit());
  bench.rests_on(served);
  EXPECT_TRUE(served) << "not served on port " << alpn_port << " within " << in_ms(bench.reconnect_limit());
}

// Opens the service's HTTPS ports, 8443 and 443, and watches all connections that the unit makes.
// Assures that what a device publishes by HTTPS reaches its account, which the service finds by the name alone.
// Fails firmware whose HTTP client has a TLS set-up of its own, without the name.
void every_connection_carries_the_name(Bench& bench) {
  const FurtherPort https(bench, Listener::https, https_port);
  const FurtherPort alpn(bench, Listener::alpn, alpn_port);
  const std::uint64_t mark = bench.now();
  if (!bench.await_hello(mark, bench.connect_limit(), is_meant_for_https)) {
    throw Inconclusive(fmt::format("no ClientHello on port {}, nor one for HTTPS on port {}, within {}", https_port,
                                   alpn_port, in_ms(bench.connect_limit())));
  }
  bench.watch(bench.watch_window());
  std::map<std::string, int> seen;
  for (const Hello& hello : bench.hellos_since(mark)) {
    if (is_meant_for_https(hello)) bench.opportunity(hello.evidence);
    ++seen[hello.listener];
    EXPECT_THAT(hello, CarriesServerName(bench.configured_name()))
        << "on its port for " << (is_meant_for_https(hello) ? "HTTPS" : "MQTT")
        << (hello.listener == name_of(Listener::alpn) ? ", 443" : "");
    if (testing::Test::HasFailure()) return;
  }
  bench.note(
      fmt::format("ClientHellos on port {}: {}; on port {}: {}", https_port, seen["https"], alpn_port, seen["alpn"]));
}

}  // namespace

void add_sni_endpoint_cases(std::vector<Case>& cases) {
  cases.push_back({.id = "SNI-08",
                   .area = "sni",
                   .title = "the longest name is sent whole",
                   .demand =
                       "an endpoint name of 253 octets, a custom domain with labels of 63, hyphens and digits, is sent "
                       "whole and served, with a certificate that has it in its SAN alone; refused when configured: "
                       "a warning",
                   .source = "RFC 1035 section 2.3.4, RFC 6066 section 3; the service's model of a DomainName",
                   .needs = {Capability::endpoint},
                   .defects = {"sni-truncated"},
                   .depends_on = {"LIFE-06", "SNI-01", "SNI-02", "SNI-03", "SNI-06"},
                   .opportunity = "its answer to the change",
                   .body = longest_name_is_sent_whole,
                   .file = __FILE__,
                   .line = __LINE__});
  cases.push_back(
      {.id = "SNI-09",
       .area = "sni",
       .title = "name and protocol on port 443",
       .demand = "on port 443 the ALPN list contains x-amzn-mqtt-ca and the name is sent; it is served there",
       .source = "RFC 7301 section 3.1, RFC 6066 section 3; the service's rule for port 443",
       .needs = {Capability::endpoint, Capability::alpn443},
       .defects = {"alpn-missing", "alpn-wrong"},
       .depends_on = {"LIFE-06", "SNI-01", "SNI-02", "SNI-03"},
       .opportunity = "a ClientHello on port 443",
       .body = alpn_on_port_443,
       .file = __FILE__,
       .line = __LINE__});
  cases.push_back({.id = "SNI-11",
                   .area = "sni",
                   .title = "the name on every port",
                   .demand = "every TLS connection to the endpoint carries the name: on 8443, and for HTTPS on 443, as "
                             "well as for MQTT",
                   .source = "RFC 6066 section 3; the service reads the name of every connection",
                   .needs = {Capability::https},
                   .defects = {"sni-mqtt-only"},
                   .depends_on = {"LIFE-06", "SNI-01", "SNI-02"},
                   .opportunity = "a ClientHello for HTTPS",
                   .waits = true,
                   .body = every_connection_carries_the_name,
                   .file = __FILE__,
                   .line = __LINE__});
}

}  // namespace hilmark::suites
