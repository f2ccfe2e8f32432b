// A descriptor that becomes readable when a process ends.
#pragma once

#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include "boards/virtual/unique_fd.h"

namespace virtual_lab {

// pidfd_open(2). glibc 2.36 declares it without extern "C", so that C++ does not link.
[[nodiscard]] inline UniqueFd open_process_fd(pid_t process) {
  return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, process, 0)));
}

}  // namespace virtual_lab
