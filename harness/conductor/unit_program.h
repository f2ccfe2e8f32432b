// What the rig's own workers do: the catalogue's cases on a real, virtual or process unit, or its provisioning alone.
#pragma once

#include <memory>

#include "harness/conductor/worker.h"

namespace hilmark {

[[nodiscard]] std::unique_ptr<WorkerProgram> make_unit_program();

}  // namespace hilmark
