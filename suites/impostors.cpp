#include "suites/impostors.h"

#include <gtest/gtest.h>

namespace hilmark::suites {
namespace {

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

}  // namespace

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

}  // namespace hilmark::suites
