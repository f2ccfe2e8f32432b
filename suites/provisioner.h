// Gives a unit that runs its firmware an identity and an endpoint in one account, and sees it served there.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "suites/runner.h"

namespace hilmark::suites {

struct Provisioned {
  std::string certificate_id;
  std::string certificate_chain;   ///< PEM, leaf first
  std::string trust_anchor;        ///< PEM, of the endpoint
  std::string endpoint_name;       ///< that it was told
  std::string server_name;         ///< that it sent (SNI); empty: none, which DEFAULT mode allows
  bool own_key = false;            ///< the unit made it
  Milliseconds served_in{0};       ///< from its installation to CONNACK
  std::vector<std::string> leaks;  ///< where it let its private key be seen
};

/// In the first account and region of `settings.cloud`, which is left with the CA registered in `mode` and the unit's
/// certificate ACTIVE; those of earlier attempts stay. `stop` is asked while it waits. Errors: usage (the cloud's
/// state; what ensure_ca() says; the unit was not touched), unit (it refused what it was told, or was not served, and
/// the rig's own client was), rig, interrupted.
[[nodiscard]] Result<Provisioned> provision_unit(Unit& unit, const RunSettings& settings, cloud::CertificateMode mode,
                                                 EvidenceLog& evidence, const Clock& clock, const Progress& progress,
                                                 const std::function<bool()>& stop);

}  // namespace hilmark::suites
