#include "suites/provisioner.h"

#include <algorithm>

#include "suites/unit_world.h"

namespace hilmark::suites {
namespace {

/// What became of the unit's last attempt since `after`, as the endpoint saw it.
std::string last_attempt(const Bench& bench, std::uint64_t after) {
  const auto attempts = bench.all(
      [](const Evidence& piece) {
        return of_unit(piece) && (piece.kind == "tcp_accepted" || piece.kind == "handshake_failed" ||
                                  piece.kind == "refused" || piece.kind == "connack");
      },
      after);
  if (attempts.empty()) return "it did not connect";
  const Evidence& last = *attempts.back();
  if (last.kind == "refused") return fmt::format("it was refused: {}", last.text("reason"));
  if (last.kind == "handshake_failed") return fmt::format("its handshake failed: {}", last.text("reason"));
  if (last.kind == "connack") return fmt::format("it came with another certificate, {}", last.text("certificate_id"));
  return "it connected, and came no further";
}

class Provisioner {
 public:
  Provisioner(UnitWorld& world, cloud::CertificateMode mode, const Progress& progress)
      : world_(world), bench_(world.bench()), place_(bench_.account_a()), mode_(mode), progress_(progress) {}

  /// Throws as bodies of cases do.
  Result<Provisioned> provision(Unit& unit) {
    if (auto known = bench_.ensure_ca(place_, mode_); !known) return fail(known.error());
    progress_("start", 0);
    if (auto started = unit.start(); !started) return fail(started.error());
    progress_("provision", 0);
    std::uint64_t mark = bench_.now();
    bench_.provision([&] { bench_.register_certificate(place_); });
    const SteadyTime installed = bench_.time();
    progress_("connect", 0);
    EvidencePtr served = await_served(mark, bench_.now());
    if (!served && bench_.can(Capability::reset)) {
      // Some take a new identity at their start alone.
      mark = bench_.reset_unit();
      served = await_served(mark, mark);
    }
    if (!served) {
      bench_.prove_endpoint_healthy_as_guest();
      throw Inconclusive(fmt::format("{}: it was not served as {} by {}{} (limit {}): {}", bench_.info().id,
                                     bench_.certificate_id(), bench_.configured_name(),
                                     bench_.can(Capability::reset) ? ", nor after a reset" : "",
                                     in_ms(bench_.connect_limit()), last_attempt(bench_, mark)));
    }
    Provisioned done;
    done.certificate_id = bench_.certificate_id();
    done.certificate_chain = bench_.identity().certificate_pem;
    for (const std::string& issuer : bench_.identity().issuers_pem) done.certificate_chain += issuer;
    done.trust_anchor = world_.servers().root_pem();
    done.endpoint_name = bench_.configured_name();
    done.server_name = served->text("sni");
    done.own_key = bench_.can(Capability::csr);
    done.served_in = bench_.since(installed);
    return done;
  }

 private:
  /// Null if it was not, or was refused so often since `told_all` that this will not change: before, it may have had
  /// its new certificate and its former endpoint.
  EvidencePtr await_served(std::uint64_t after, std::uint64_t told_all) {
    constexpr int last_refusal = 3;
    const auto matches = [&](const Evidence& piece) {
      return of_unit(piece) && (piece.kind == "connack" || (piece.kind == "refused" && piece.number > told_all)) &&
             piece.text("certificate_id") == bench_.certificate_id();
    };
    const SteadyTime begun = bench_.time();
    for (int refusals = 0; refusals < last_refusal; ++refusals) {
      const Milliseconds left = bench_.connect_limit() - bench_.since(begun);
      const EvidencePtr found = bench_.await(matches, after, std::max(left, Milliseconds{0}));
      if (!found || found->kind == "connack") return found;
      after = found->number;
    }
    return nullptr;
  }

  UnitWorld& world_;
  Bench& bench_;
  const cloud::Place place_;
  const cloud::CertificateMode mode_;
  const Progress& progress_;
};

}  // namespace

Result<Provisioned> provision_unit(Unit& unit, const RunSettings& settings, cloud::CertificateMode mode,
                                   EvidenceLog& evidence, const Clock& clock, const Progress& progress) {
  const auto world = UnitWorld::start(unit, settings, evidence, clock);
  if (!world) return fail(world.error());
  try {
    return Provisioner(**world, mode, progress).provision(unit);
  } catch (const Inconclusive& refusal) {
    return fail(ErrorKind::unit, "{}", refusal.what());
  } catch (const std::exception& trouble) {
    return fail(ErrorKind::rig, "{}", trouble.what());
  }
}

}  // namespace hilmark::suites
