#include "suites/provisioner.h"

#include <algorithm>

#include "suites/unit_world.h"

namespace hilmark::suites {
namespace {

constexpr Milliseconds stop_interval{200};  // the time until a request to stop is heard

struct Stopped {};

/// What became of the unit's attempts since `after`, as the endpoint saw it.
std::string last_attempt(const Bench& bench, std::uint64_t after) {
  const auto ends = bench.all(
      [](const Evidence& piece) {
        return of_unit(piece) &&
               (piece.kind == "handshake_failed" || piece.kind == "refused" || piece.kind == "connack");
      },
      after);
  if (ends.empty()) {
    return bench.seen("tcp_accepted", after).empty() ? "it did not connect" : "it connected, and came no further";
  }
  const Evidence& last = *ends.back();
  if (last.kind == "refused") return fmt::format("it was refused: {}", last.text("reason"));
  if (last.kind == "connack") return fmt::format("it came with another certificate, {}", last.text("certificate_id"));
  return fmt::format("its handshake failed: {} ({})", last.text("detail"), last.text("by"));
}

class Provisioner {
 public:
  Provisioner(UnitWorld& world, cloud::CertificateMode mode, const Progress& progress,
              const std::function<bool()>& stop)
      : world_(world),
        bench_(world.bench()),
        place_(bench_.account_a()),
        mode_(mode),
        progress_(progress),
        stop_(stop) {}

  /// Throws Stopped, and as bodies of cases do.
  Result<Provisioned> provision(Unit& unit) {
    if (auto known = bench_.ensure_ca(place_, mode_); !known) return fail(known.error());
    progress_("start", 0);
    if (auto started = unit.start(); !started) return fail(started.error());
    if (stop_()) throw Stopped();
    progress_("provision", 0);
    std::uint64_t mark = bench_.now();
    bench_.provision([&] { bench_.register_certificate(place_); });
    const SteadyTime installed = bench_.time();
    progress_("connect", 0);
    EvidencePtr served = await_served(mark, bench_.now());
    std::string beside;
    if (!served && bench_.can(Capability::reset)) {
      // Some take a new identity at their start alone.
      try {
        mark = bench_.reset_unit();
        served = await_served(mark, mark);
        beside = ", nor after a reset";
      } catch (const Inconclusive& failure) {
        beside = fmt::format(", and it could not be reset ({})", failure.what());
      }
    }
    if (!served) {
      bench_.prove_endpoint_healthy_as_guest();
      throw Inconclusive(fmt::format("{}: it was not served as {} by {}{}: {}", bench_.info().id,
                                     bench_.certificate_id(), bench_.configured_name(), beside,
                                     last_attempt(bench_, mark)));
    }
    return told_of(*served, installed);
  }

 private:
  [[nodiscard]] Provisioned told_of(const Evidence& served, SteadyTime installed) const {
    Provisioned done;
    done.certificate_id = bench_.certificate_id();
    done.certificate_chain = bench_.identity().certificate_pem;
    for (const std::string& issuer : bench_.identity().issuers_pem) done.certificate_chain += issuer;
    done.trust_anchor = world_.servers().root_pem();
    done.endpoint_name = bench_.configured_name();
    done.server_name = served.text("sni");
    done.own_key = bench_.can(Capability::csr);
    done.served_in = bench_.since(installed);
    for (const LeakedKey& leak : bench_.keys().leaks()) {
      if (leak.of_unit) done.leaks.push_back(leak.where);
    }
    return done;
  }

  /// Null if it was not, or was refused so often since `told_all` that this will not change: before, it may have had
  /// its new certificate and its former endpoint.
  EvidencePtr await_served(std::uint64_t after, std::uint64_t told_all) {
    constexpr int last_refusal = 3;
    const auto matches = [&](const Evidence& piece) {
      return of_unit(piece) && (piece.kind == "connack" || (piece.kind == "refused" && piece.number > told_all)) &&
             piece.text("certificate_id") == bench_.certificate_id();
    };
    const SteadyTime begun = bench_.time();
    for (int refusals = 0; refusals < last_refusal;) {
      const Milliseconds left = bench_.connect_limit() - bench_.since(begun);
      EvidencePtr found = bench_.await(matches, after, std::clamp(left, Milliseconds{0}, stop_interval));
      if (found && found->kind == "connack") return found;
      if (!found && left <= stop_interval) return nullptr;
      if (stop_()) throw Stopped();
      if (!found) continue;
      after = found->number;
      ++refusals;
    }
    return nullptr;
  }

  UnitWorld& world_;
  Bench& bench_;
  const cloud::Place place_;
  const cloud::CertificateMode mode_;
  const Progress& progress_;
  const std::function<bool()>& stop_;
};

}  // namespace

Result<Provisioned> provision_unit(Unit& unit, const RunSettings& settings, cloud::CertificateMode mode,
                                   EvidenceLog& evidence, const Clock& clock, const Progress& progress,
                                   const std::function<bool()>& stop) {
  try {
    const auto world = UnitWorld::start(unit, settings, evidence, clock);
    if (!world) return fail(world.error(), "unit {}", unit.info().id);
    return Provisioner(**world, mode, progress, stop).provision(unit);
  } catch (const Stopped&) {
    return fail(ErrorKind::interrupted, "unit {}: asked to end", unit.info().id);
  } catch (const Inconclusive& refusal) {
    return fail(ErrorKind::unit, "{}", refusal.what());
  } catch (const std::exception& trouble) {
    return fail(ErrorKind::rig, "unit {}: {}", unit.info().id, trouble.what());
  }
}

}  // namespace hilmark::suites
