// A worker process: one unit's world, from its lock to its last event.
#pragma once

#include <functional>

#include <boost/json/object.hpp>

#include "harness/base/error.h"
#include "harness/conductor/worker_orders.h"
#include "harness/conductor/worker_world.h"

namespace hilmark {

/// What a worker does with its unit. The rig's own is in unit_program.h; tests bring others.
class WorkerProgram {
 public:
  using Sink = std::function<void(boost::json::object event)>;  ///< thread-safe

  virtual ~WorkerProgram() = default;
  /// Reads and checks everything; touches no unit. An error ends the run before it began.
  [[nodiscard]] virtual Result<void> prepare(const WorkerOrders& orders, const World& world) = 0;
  /// Runs the cases; `stop` is asked between them. An error means that the unit was lost.
  [[nodiscard]] virtual Result<void> run(const Sink& sink, const std::function<bool()>& stop) = 0;
};

/// Whether these are the arguments of a worker: "worker" comes first.
[[nodiscard]] bool is_worker(int argument_count, const char* const* arguments);

/// To be called first of all in main(), before any thread: returns the exit status.
[[nodiscard]] int worker_main(WorkerProgram& program);

}  // namespace hilmark
