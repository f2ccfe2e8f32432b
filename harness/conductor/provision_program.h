// What a worker does for `hilmark provision`: one unit's identity, and no case.
#pragma once

#include <memory>

#include "harness/conductor/worker.h"

namespace hilmark {

/// Its last event is `provisioned` {account, region, mode, certificate, client_id, own_key, endpoint, server_name,
/// served_ms, files, key_seen_on}.
[[nodiscard]] std::unique_ptr<WorkerProgram> make_provision_program();

}  // namespace hilmark
