// The world that a worker lives in: namespaces, so that units cannot meet and nothing outlives it.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "harness/base/error.h"
#include "harness/conductor/worker_orders.h"

namespace hilmark {

/// What became of it.
struct World {
  bool own_network = false;        ///< a namespace with only a loopback in it
  bool own_processes = false;      ///< a mount and a PID namespace
  std::vector<std::string> notes;  ///< for the log: what is not as it should be
};

/// Joins or makes the unit's namespaces. The very first thing a worker does: it has one thread only.
[[nodiscard]] Result<World> enter_world(const WorkerOrders& orders);

/// Goes on in a grandchild. This process and its child do nothing but wait, pass SIGTERM and SIGINT on and end with the
/// grandchild's status (128 + signal if one killed it); if one of the three is killed, so are the others. In the PID
/// namespace the child is init: it reaps what is orphaned, and its end ends everything there.
[[nodiscard]] Result<void> continue_supervised();

/// Puts a file system of its own over the worker's folder, that is gone with the worker (keys never reach a disk), and
/// lets programs resolve names by the rig's name server alone. After continue_supervised().
[[nodiscard]] Result<void> furnish_world(World& world, const std::filesystem::path& folder);

/// Where each region listens: region -> IPv4 address. A real board reaches the rig at its rig address, so it has as
/// many regions as it has those.
[[nodiscard]] std::map<std::string, std::string> listen_addresses(const BenchUnit& unit,
                                                                  const std::vector<std::string>& regions);

/// The standard port where it is ours alone, else 0 (any free one).
[[nodiscard]] std::uint16_t mqtt_port_for(const BenchUnit& unit, const World& world);

/// Where the unit's name server listens, at port 53; empty: it has none, for want of a network of its own.
[[nodiscard]] std::string resolver_address_for(const World& world);

/// The error (usage) names the address and port that are taken or not ours.
[[nodiscard]] Result<void> check_ports_free(const std::map<std::string, std::string>& addresses, std::uint16_t port);

}  // namespace hilmark
