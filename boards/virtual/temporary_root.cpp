#include "boards/virtual/temporary_root.h"

#include <cstdlib>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>

#include "boards/virtual/process_title.h"

namespace virtual_lab {
namespace {

// A program that is still busy in the folder may make files while it is removed.
void remove_folder(const std::filesystem::path& path) {
  constexpr int attempts = 3;
  for (int i = 0; i < attempts; ++i) {
    std::error_code error;
    std::filesystem::remove_all(path, error);
    if (!error) return;
  }
}

[[noreturn]] void wait_and_remove(int alive_fd, const std::filesystem::path& path) {
  constexpr int alive = 3;
  if (alive_fd != alive) ::dup2(alive_fd, alive);
  ::close_range(0, 2, 0);
  ::close_range(alive + 1, ~0U, 0);
  ::setsid();
  set_process_title("virtual-lab-rm");
  for (const int ignored : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) ::signal(ignored, SIG_IGN);
  [[maybe_unused]] const int at_root = ::chdir("/");
  char byte = 0;
  while (::read(alive, &byte, 1) < 0 && errno == EINTR) {
  }
  remove_folder(path);
  ::_exit(0);
}

}  // namespace

Result<TemporaryRoot> TemporaryRoot::make() {
  const char* chosen = std::getenv("TMPDIR");
  std::filesystem::path parent = chosen != nullptr && *chosen != '\0' ? chosen : "/tmp";
  std::error_code error;
  parent = std::filesystem::absolute(parent, error);
  // The preload library redirects what is below these.
  for (const char* redirected : {"/dev", "/sys", "/proc"}) {
    if (parent.string().starts_with(redirected)) parent = "/tmp";
  }
  std::string path = (parent / "virtual-lab-XXXXXX").string();
  if (::mkdtemp(path.data()) == nullptr)
    return errno_failure(fmt::format("cannot make a folder in {}", parent.string()));
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    remove_folder(path);
    return errno_failure("cannot make a pipe");
  }
  const UniqueFd theirs(ends[0]);
  UniqueFd ours(ends[1]);
  const pid_t remover = ::fork();
  if (remover == 0) {
    ours.reset();
    wait_and_remove(theirs.get(), path);
  }
  if (remover < 0) {
    remove_folder(path);
    return errno_failure("cannot start a process");
  }
  return TemporaryRoot(path, std::move(ours), remover);
}

TemporaryRoot::TemporaryRoot(TemporaryRoot&& other) noexcept
    : path_(std::move(other.path_)), alive_(std::move(other.alive_)), remover_(std::exchange(other.remover_, 0)) {}

TemporaryRoot::~TemporaryRoot() {
  if (remover_ <= 0) return;
  alive_.reset();
  ::waitpid(remover_, nullptr, 0);
}

}  // namespace virtual_lab
