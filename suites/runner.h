// Runs cases on one unit, in its worker process. The harness brings the unit and the cloud's settings; the suites
// judge.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/json/object.hpp>

#include "drivers/unit/unit.h"
#include "fixtures/cloud/cloud.h"
#include "fixtures/pki/pki.h"
#include "harness/base/evidence.h"

namespace hilmark::suites {

struct RunSettings {
  std::vector<std::string> cases;  ///< ids, in the catalogue's order
  int rounds = 1;
  bool long_time = false;  ///< cases may take hours
  std::uint64_t seed = 0;
  cloud::CloudConfig cloud;
  std::optional<FirmwareImage> firmware;  ///< flashed first where the unit can flash
  /// Of the cloud's accounts those that cases tour beside A and B.
  std::vector<std::string> tour_accounts;
  std::string client_id;  ///< the identity's common name and MQTT client id
  /// The loopback address at which a name server of the rig's answers the unit, at port 53; empty: there is none.
  std::string resolver;
  /// Who signs the unit's certificates; null: an authority made for this run.
  std::shared_ptr<const pki::DeviceAuthority> devices;
  std::filesystem::path key_history;  ///< public keys of the lab's units (KeyHistory's file); empty: none is kept
};

/// Takes an event (reports/events.md) without `v`, `time`, `unit`, `virtual`: the harness adds them.
using EventSink = std::function<void(boost::json::object event)>;

/// Flashes, proves, provisions, and runs all rounds. An error means that the unit could not be made ready or was lost:
/// what had not been judged stays open (the harness reports it as errors of type rig). `stop` is asked between cases.
[[nodiscard]] Result<void> run_unit(Unit& unit, const RunSettings& settings, EvidenceLog& evidence, const Clock& clock,
                                    const EventSink& sink, const std::function<bool()>& stop);

}  // namespace hilmark::suites
