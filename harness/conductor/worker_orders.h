// What the parent tells a worker before it starts.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <boost/describe/class.hpp>

#include "harness/inventory/bench.h"

namespace hilmark {

/// For `hilmark provision`.
struct ProvisionOrders {
  std::string mode;        ///< "DEFAULT" or "SNI_ONLY"; empty: the worker is a run's
  std::string ca, ca_key;  ///< the vendor's own, PEM files; empty: those in `out`, made if there are none
  std::string state;       ///< the cloud's state file; empty: it keeps nothing
  std::string client_id;   ///< and the certificate's common name
  std::string out;         ///< folder of the CA that is made, and of one for the unit, which is there
};
BOOST_DESCRIBE_STRUCT(ProvisionOrders, (), (mode, ca, ca_key, state, client_id, out))

struct WorkerOrders {
  BenchUnit unit;
  std::vector<std::string> cases;  ///< ids, in the catalogue's order
  std::int64_t rounds = 1;
  bool long_time = false;
  std::int64_t seed = 0;
  std::vector<std::string> accounts;
  std::vector<std::string> regions;
  std::string firmware;      ///< path of the image; empty: none is flashed
  std::string folder;        ///< 0700, this worker's own, removed by the parent
  std::string mosquitto;     ///< the broker's program
  bool namespaces = true;    ///< whether this machine lets us make them
  std::int64_t wait_ms = 0;  ///< for a unit that another holds; 0: not at all, LockWait::for_ever: for ever
  std::string key_history;   ///< file; empty: none is kept
  ProvisionOrders provision = {};
};
BOOST_DESCRIBE_STRUCT(WorkerOrders, (),
                      (unit, cases, rounds, long_time, seed, accounts, regions, firmware, folder, mosquitto, namespaces,
                       wait_ms, key_history, provision))

/// One line of JSON, with LF.
[[nodiscard]] std::string orders_line(const WorkerOrders& orders);
[[nodiscard]] Result<WorkerOrders> orders_from(const std::string& line);

/// The descriptors that a worker inherits. On `control_fd` come the orders and then, on a line of its own, "go"; its
/// end means that the parent has gone. On `events_fd` go lines of JSON: worker_waits {holder} if another has the unit,
/// worker_ready or worker_refused {kind, message}, then events, at last worker_done {ok, kind, message}.
inline constexpr int worker_control_fd = 3;
inline constexpr int worker_events_fd = 4;

}  // namespace hilmark
