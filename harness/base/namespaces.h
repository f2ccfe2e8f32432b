// Linux namespaces: each unit has a world of its own, with only a loopback interface in it.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include <sys/types.h>

#include "harness/base/error.h"

namespace hilmark {

/// Whether this machine lets us make user and network namespaces; the error says what forbids it.
[[nodiscard]] Result<void> namespaces_allowed();

/// Joins the user and network namespaces of `holder` (in this order). The process must have one thread only.
[[nodiscard]] Result<void> join_unit_namespace(pid_t holder);

/// Makes a user and a network namespace for this process and brings its loopback up. One thread only.
[[nodiscard]] Result<void> make_unit_namespace();

/// Makes a mount namespace for this process, private from now on, and a PID namespace for its children: the first child
/// is its init, with whose end the kernel ends all the rest. One thread only; after one of the two above.
[[nodiscard]] Result<void> isolate_mounts_and_children();

/// Shows `content` at `target` (an existing file, for instance /etc/hosts) to this mount namespace alone.
/// `folder` keeps the file and must live as long as the namespace.
[[nodiscard]] Result<void> overlay_file(const std::filesystem::path& target, const std::string& content,
                                        const std::filesystem::path& folder);

}  // namespace hilmark
