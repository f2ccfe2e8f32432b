// One rig at a time for one unit: a lock among processes that ends with its holder, however that ends.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "harness/base/clock.h"
#include "harness/base/error.h"
#include "harness/base/unique_fd.h"

namespace hilmark {

/// Where all users of one machine keep their locks.
inline constexpr const char* default_lock_folder = "/run/lock/hilmark";

/// What to do about a unit that another holds.
struct LockWait {
  static constexpr Milliseconds for_ever = Milliseconds::max();
  Milliseconds limit{0};                                   ///< 0: refuse at once
  std::function<void(const std::string& holder)> on_wait;  ///< told once, before the waiting begins; may be empty
};

class UnitLock {
 public:
  /// `name` as lock_name says. Who waits is served in the order of coming. While it waits, a child process of this one
  /// stands in the queue (it inherits all descriptors until then, and runs no code but the system call).
  /// Errors: usage (held by another, who is named with pid and command, for all of that time; no such folder can be
  /// made), rig (no process for the waiting).
  [[nodiscard]] static Result<UnitLock> acquire(const std::string& name, const LockWait& wait = {},
                                                const std::filesystem::path& folder = default_lock_folder);
  /// Who holds it, as "pid 4711: hilmark run"; nothing if nobody does. Looks only: it takes no lock, so that nobody is
  /// refused for it, and makes no file. A holder that this process's namespace of pids does not show is not seen.
  /// Errors: usage (a lock file that cannot be opened), rig (no /proc/locks).
  [[nodiscard]] static Result<std::optional<std::string>> holder(
      const std::string& name, const std::filesystem::path& folder = default_lock_folder);

 private:
  explicit UnitLock(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

/// The name of a unit's lock: its port path, or for a process unit its id. Ports of a virtual lab are told from the
/// machine's own by the lab's root ($UMOCKDEV_DIR).
[[nodiscard]] std::string lock_name(const std::string& port, const std::string& unit_id);

}  // namespace hilmark
