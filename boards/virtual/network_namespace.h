// A board's own network: a user and network namespace with only its loopback, up, held by a process that does nothing
// else. The rig joins it by that process's id.
#pragma once

#include <sys/types.h>

#include "boards/virtual/result.h"
#include "boards/virtual/unique_fd.h"

namespace virtual_lab {

class NetworkNamespace {
 public:
  // To be called from the process's main thread, which lives as long as the lab: the holder dies with that thread.
  // Fails where namespaces are forbidden.
  [[nodiscard]] static Result<NetworkNamespace> make();

  NetworkNamespace(NetworkNamespace&& other) noexcept;
  NetworkNamespace& operator=(NetworkNamespace&&) = delete;
  ~NetworkNamespace();

  [[nodiscard]] pid_t holder_pid() const { return holder_; }
  // For setns(2), in this order; the first only if there is one besides the lab's own.
  [[nodiscard]] bool has_user_namespace() const { return has_user_namespace_; }
  [[nodiscard]] int user_fd() const { return user_.get(); }
  [[nodiscard]] int network_fd() const { return network_.get(); }

 private:
  NetworkNamespace(pid_t holder, UniqueFd user, UniqueFd network)
      : holder_(holder), user_(std::move(user)), network_(std::move(network)) {}

  pid_t holder_;
  UniqueFd user_;
  UniqueFd network_;
  bool has_user_namespace_ = true;
};

}  // namespace virtual_lab
