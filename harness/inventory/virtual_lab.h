// What virtual-lab says about its boards: lab.json (boards/wire.md).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "harness/base/error.h"

namespace hilmark {

struct VirtualBoard {
  std::string unit, port, serial, chip;
  pid_t namespace_pid = 0;  ///< whose user and network namespaces are the unit's; 0: it has none of its own
};

/// The lab that this process runs in ($UMOCKDEV_DIR/lab.json), or nothing if it runs in none.
[[nodiscard]] Result<std::optional<std::vector<VirtualBoard>>> surrounding_virtual_lab();

}  // namespace hilmark
