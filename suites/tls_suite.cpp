// tls: whom the device believes.
#include <gtest/gtest.h>

#include "suites/areas.h"
#include "suites/bench.h"

namespace hilmark::suites {
namespace {

using pki::ServerCredentialRequest;
using pki::ServerFault;

struct Impostor {
  const char* name;
  ServerCredentialRequest request;
};

/// How the unit ended the connection that met the deviation.
struct Reaction {
  EvidencePtr end;  ///< handshake_failed, handshake_done
  EvidencePtr deviation;
};

std::optional<Reaction> reaction_to(Bench& bench, const Impostor& impostor) {
  auto credential = bench.servers().issue(impostor.request);
  if (!credential) throw RigTrouble(credential.error());
  bench.cloud().set_deviation({.tls = {.credential = *credential, .credential_name = impostor.name}});
  const std::uint64_t mark = bench.drop_connections();
  const EvidencePtr met = bench.await_kind("deviation", mark, bench.reconnect_limit());
  if (!met) return std::nullopt;
  const EvidencePtr end = bench.await(
      [&](const Evidence& piece) {
        return piece.connection == met->connection &&
               (piece.kind == "handshake_done" || piece.kind == "handshake_failed");
      },
      mark, bench.info().timing.handshake);
  if (!end) return std::nullopt;
  return Reaction{end, met};
}

/// Control before and after: the good certificate, with a chain of the same shape, is accepted. Delivery: the deviating
/// flight was acknowledged. What follows: an alert and/or a close, nothing else.
void expect_refusal(Bench& bench, const Impostor& impostor) {
  SCOPED_TRACE(impostor.name);
  const auto reaction = reaction_to(bench, impostor);
  if (!reaction) throw Inconclusive(fmt::format("no handshake met the {} certificate", impostor.name));
  bench.rests_on(reaction->deviation);
  const Evidence& end = *reaction->end;
  bench.cloud().set_deviation({});
  if (end.kind == "handshake_done") {
    bench.opportunity(reaction->end);
    ADD_FAILURE() << "the unit completed its handshake with a server that presented a " << impostor.name
                  << " certificate (evidence #" << end.number << ")";
  } else if (!end.flag("delivered") || end.text("by") == "us") {
    throw Inconclusive(fmt::format("evidence #{}: the {} certificate was not seen to reach the unit ({})", end.number,
                                   impostor.name, end.text("detail")));
  } else {
    bench.opportunity(reaction->end);
  }
  const std::uint64_t cured = bench.drop_connections();
  if (!bench.await_served(cured, bench.reconnect_limit())) {
    throw Inconclusive(fmt::format("no control after the {} certificate: not served with the good one within {}",
                                   impostor.name, in_ms(bench.reconnect_limit())));
  }
}

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
