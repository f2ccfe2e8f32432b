// What is around a unit while the rig works on it: authorities, cloud, name server, and the search for private keys.
#pragma once

#include <memory>
#include <optional>

#include "suites/bench.h"

namespace hilmark::suites {

class UnitWorld {
 public:
  /// The arguments outlive it. Errors: those of the authorities and of Cloud::start, a name server that cannot listen.
  [[nodiscard]] static Result<std::unique_ptr<UnitWorld>> start(Unit& unit, const RunSettings& settings,
                                                                EvidenceLog& evidence, const Clock& clock);
  UnitWorld(const UnitWorld&) = delete;
  UnitWorld& operator=(const UnitWorld&) = delete;
  /// The unit and its console speak on; nobody listens any more.
  ~UnitWorld();

  [[nodiscard]] Bench& bench() { return *bench_; }
  [[nodiscard]] cloud::Cloud& cloud() { return *cloud_; }
  [[nodiscard]] const pki::ServerAuthority& servers() const { return servers_; }

 private:
  UnitWorld(pki::ServerAuthority servers, std::shared_ptr<const pki::DeviceAuthority> devices, EvidenceLog& evidence,
            const Clock& clock);
  Result<void> open(Unit& unit, const RunSettings& settings, const Clock& clock);

  EvidenceLog& evidence_;
  const pki::ServerAuthority servers_;
  const std::shared_ptr<const pki::DeviceAuthority> devices_;
  KeyWatch keys_;
  std::unique_ptr<cloud::Cloud> cloud_;
  std::unique_ptr<network::Resolver> resolver_;
  std::optional<Bench> bench_;
};

}  // namespace hilmark::suites
