// Unix stream sockets below the lab's root.
#pragma once

#include <filesystem>

#include <sys/un.h>

#include "boards/virtual/result.h"
#include "boards/virtual/unique_fd.h"

namespace virtual_lab {

// The error says that the path is too long, and what to do.
[[nodiscard]] Result<sockaddr_un> unix_address(const std::filesystem::path& path);

// A listener that does not block; its folder is made if need be, and what stood at the path is replaced.
[[nodiscard]] Result<UniqueFd> listen_at(const std::filesystem::path& path, int backlog);

}  // namespace virtual_lab
