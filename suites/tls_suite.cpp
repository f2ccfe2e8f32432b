// tls: whom the device believes.
#include "suites/areas.h"
#include "suites/bench.h"
#include "suites/impostors.h"

namespace hilmark::suites {
namespace {

using pki::ServerCredentialRequest;
using pki::ServerFault;

// The endpoint presents certificates of our own authority that are good in all but the name.
// Assures that another customer's endpoint, which has a good certificate too, is not taken for this one.
// Fails firmware that verifies the chain and forgets the name.
void refuses_another_name(Bench& bench) {
  const std::string& name = bench.configured_name();
  const std::string other = bench.account(bench.account_b()).endpoint_name();
  const std::string address = bench.cloud().listen_address(bench.account_a().region);
  const Impostor impostors[] = {
      {"another account's", {.name = name, .fault = ServerFault::wrong_san, .other_name = other}},
      {"label before", {.name = name, .fault = ServerFault::wrong_san, .other_name = "evil." + name}},
      {"label after", {.name = name, .fault = ServerFault::wrong_san, .other_name = name + ".evil.test"}},
      {"IP address", {.name = name, .fault = ServerFault::ip_address_san, .other_name = address}},
  };
  for (const Impostor& impostor : impostors) expect_refusal(bench, impostor);
}

// The endpoint presents certificates with the right name and dates by an authority that the unit does not trust.
// Assures that the trust anchor is looked at, whatever else the server appends to its chain.
// Fails firmware that verifies nothing, or that trusts any root that comes along.
void refuses_an_unknown_authority(Bench& bench) {
  using Chain = ServerCredentialRequest::Chain;
  const std::string& name = bench.configured_name();
  const Impostor impostors[] = {
      {"unknown CA's", {.name = name, .fault = ServerFault::unknown_ca}},
      {"unknown CA's (its root appended)",
       {.name = name, .fault = ServerFault::unknown_ca, .chain = Chain::with_own_root}},
      {"unknown CA's (our root appended)",
       {.name = name, .fault = ServerFault::unknown_ca, .chain = Chain::with_true_root}},
      {"self-signed", {.name = name, .fault = ServerFault::self_signed}},
      {"self-signed (our root appended)",
       {.name = name, .fault = ServerFault::self_signed, .chain = Chain::with_true_root}},
  };
  for (const Impostor& impostor : impostors) expect_refusal(bench, impostor);
}

}  // namespace

void add_tls_cases(std::vector<Case>& cases) {
  cases.push_back({.id = "TLS-04",
                   .area = "tls",
                   .title = "refuses a certificate for another name",
                   .demand =
                       "refuses a certificate, good in all else, for another account's endpoint, for the same name "
                       "with a label before or after it, and with the IP address as name",
                   .source = "RFC 9525 section 6",
                   .needs = {Capability::reset},
                   .defects = {"no-hostname-check", "no-verify"},
                   .depends_on = {"LIFE-06"},
                   .opportunity = "a handshake that met the certificate",
                   .body = refuses_another_name,
                   .file = __FILE__,
                   .line = __LINE__});
  cases.push_back({.id = "TLS-06",
                   .area = "tls",
                   .title = "refuses a certificate of an unknown authority",
                   .demand =
                       "refuses a server certificate of an unknown CA, and a self-signed one, each with and without "
                       "that CA or our true root appended to the chain",
                   .source = "RFC 5280 section 6.1",
                   .needs = {Capability::reset},
                   .defects = {"no-verify"},
                   .depends_on = {"LIFE-06"},
                   .opportunity = "a handshake that met the certificate",
                   .body = refuses_an_unknown_authority,
                   .file = __FILE__,
                   .line = __LINE__});
}

}  // namespace hilmark::suites
