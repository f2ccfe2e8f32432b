#include "boards/virtual/unix_socket.h"

#include <fmt/format.h>
#include <sys/socket.h>

namespace virtual_lab {

Result<sockaddr_un> unix_address(const std::filesystem::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string text = path.string();
  if (text.size() >= sizeof address.sun_path) {
    return failure(fmt::format("the path {} is too long for a socket; set TMPDIR to a shorter one", text));
  }
  text.copy(address.sun_path, text.size());
  return address;
}

Result<UniqueFd> listen_at(const std::filesystem::path& path, int backlog) {
  std::error_code error;
  std::filesystem::create_directories(path.parent_path(), error);
  if (error) return failure(fmt::format("cannot make {}: {}", path.parent_path().string(), error.message()));
  const auto address = unix_address(path);
  if (!address) return failure(address.error());
  std::filesystem::remove(path, error);
  UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!listener.valid() || ::bind(listener.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0 ||
      ::listen(listener.get(), backlog) != 0) {
    return errno_failure(fmt::format("cannot listen at {}", path.string()));
  }
  return listener;
}

}  // namespace virtual_lab
