// The events that a run itself tells, and the orders that it gives.
#pragma once

#include <boost/json/object.hpp>

#include "harness/conductor/conductor.h"
#include "harness/conductor/preflight.h"
#include "harness/conductor/worker_orders.h"

namespace hilmark {

[[nodiscard]] boost::json::object run_started_event(const RunOptions& options, const ConductorParts& parts,
                                                    const PreparedRun& run);
/// Without `unit` and `virtual`.
[[nodiscard]] boost::json::object unit_planned_event(const PreparedUnit& unit);
[[nodiscard]] WorkerOrders orders_for(const RunOptions& options, const PreparedRun& run, const PreparedUnit& unit);

}  // namespace hilmark
