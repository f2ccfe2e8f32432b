// The cloud of a worker's own: accounts, addresses, port and folder by its orders.
#pragma once

#include "fixtures/cloud/cloud.h"
#include "harness/conductor/worker_orders.h"
#include "harness/conductor/worker_world.h"

namespace hilmark {

/// Makes the folders `cloud` and `unit` (0700) in the worker's. Regions without an address are left out. Errors: usage
/// (a port is taken), rig.
[[nodiscard]] Result<cloud::CloudConfig> worker_cloud(const WorkerOrders& orders, const World& world);

}  // namespace hilmark
