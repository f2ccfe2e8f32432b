// Provisions one unit, in a worker process as a run has it: locked, in its own network, with a cloud of its own.
#pragma once

#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include <boost/json/object.hpp>

#include "harness/base/clock.h"
#include "harness/base/error.h"

namespace hilmark {

struct ProvisionOptions {
  std::filesystem::path lab;
  std::string unit;
  std::string account;
  std::string mode;                  ///< "DEFAULT" or "SNI_ONLY"
  std::string region;                ///< empty: the lab's first
  std::string client_id;             ///< empty: hilmark-<unit>, as in a run
  std::filesystem::path ca, ca_key;  ///< the vendor's own; empty: ca.pem and ca.key in `out`, made if there are none
  std::filesystem::path state;       ///< the cloud's state file; empty: it keeps nothing
  std::filesystem::path out;         ///< folder; made if it is not there
  Milliseconds wait{0};              ///< for a unit that another holds; 0: not at all, LockWait::for_ever
};

struct ProvisionOutcome {
  int signal = 0;                   ///< that ended it; 0: it was done
  bool touched = true;              ///< the unit
  boost::json::object provisioned;  ///< the event (provision_program.h)
};

/// `worker_command`: this program and "worker". Takes over SIGINT, SIGTERM and SIGHUP of the calling thread, which must
/// be the only one. Errors: usage (the unit was not touched), unit and timeout (the device), rig.
[[nodiscard]] Result<ProvisionOutcome> provision(const ProvisionOptions& options,
                                                 const std::vector<std::string>& worker_command, std::FILE* terminal);

}  // namespace hilmark
