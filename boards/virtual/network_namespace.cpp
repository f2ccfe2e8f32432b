#include "boards/virtual/network_namespace.h"

#include <cstdlib>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "boards/virtual/process_title.h"

namespace virtual_lab {
namespace {

bool write_to(const char* path, std::string_view text) {
  const UniqueFd fd(::open(path, O_WRONLY | O_CLOEXEC));
  return fd.valid() && ::write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

bool bring_loopback_up() {
  const UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  request.ifr_name[0] = 'l';
  request.ifr_name[1] = 'o';
  if (!fd.valid() || ::ioctl(fd.get(), SIOCGIFFLAGS, &request) != 0) return false;
  request.ifr_flags |= IFF_UP;
  return ::ioctl(fd.get(), SIOCSIFFLAGS, &request) == 0;
}

// 0, or the errno of what failed.
int enter_new_namespaces() {
  const uid_t user = ::geteuid();
  const gid_t group = ::getegid();
  if (::unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) {
    // Root needs no user namespace, and in a chroot the kernel makes none (EPERM).
    if (errno != EPERM || user != 0 || ::unshare(CLONE_NEWNET) != 0) return errno;
    return bring_loopback_up() ? 0 : errno;
  }
  if (!write_to("/proc/self/setgroups", "deny")) return errno;
  if (!write_to("/proc/self/uid_map", fmt::format("0 {} 1", user))) return errno;
  if (!write_to("/proc/self/gid_map", fmt::format("0 {} 1", group))) return errno;
  return bring_loopback_up() ? 0 : errno;
}

[[noreturn]] void hold(int report_fd, pid_t lab) {
  constexpr int report = 3;
  if (report_fd != report) ::dup2(report_fd, report);
  ::close_range(0, 2, 0);
  ::close_range(report + 1, ~0U, 0);
  ::setsid();
  set_process_title("virtual-lab-net");
  const int error = enter_new_namespaces();
  // After the change of credentials, which clears both: others may look into /proc/PID/ns, and we go with the lab.
  ::prctl(PR_SET_DUMPABLE, 1);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != lab) ::_exit(1);
  if (::write(report, &error, sizeof error) != sizeof error || error != 0) ::_exit(1);
  ::close(report);
  while (true) ::pause();
}

bool is_own_namespace(const UniqueFd& fd, const char* kind) {
  struct stat theirs {};
  struct stat ours {};
  return ::fstat(fd.get(), &theirs) == 0 && ::stat(fmt::format("/proc/self/ns/{}", kind).c_str(), &ours) == 0 &&
         theirs.st_ino == ours.st_ino;
}

UniqueFd open_namespace(pid_t holder, const char* kind) {
  return UniqueFd(::open(fmt::format("/proc/{}/ns/{}", holder, kind).c_str(), O_RDONLY | O_CLOEXEC));
}

}  // namespace

Result<NetworkNamespace> NetworkNamespace::make() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return errno_failure("cannot make a pipe");
  const UniqueFd report(ends[0]);
  UniqueFd holders_end(ends[1]);
  const pid_t lab = ::getpid();
  const pid_t holder = ::fork();
  if (holder < 0) return errno_failure("cannot start a namespace's holder");
  if (holder == 0) hold(holders_end.get(), lab);
  holders_end.reset();
  int error = EPIPE;
  if (::read(report.get(), &error, sizeof error) != sizeof error) error = EPIPE;
  NetworkNamespace made(holder, open_namespace(holder, "user"), open_namespace(holder, "net"));
  if (error != 0 || !made.user_.valid() || !made.network_.valid()) {
    errno = error != 0 ? error : EACCES;
    return errno_failure("cannot make a user and network namespace");
  }
  made.has_user_namespace_ = !is_own_namespace(made.user_, "user");
  return made;
}

NetworkNamespace::NetworkNamespace(NetworkNamespace&& other) noexcept
    : holder_(std::exchange(other.holder_, 0)),
      user_(std::move(other.user_)),
      network_(std::move(other.network_)),
      has_user_namespace_(other.has_user_namespace_) {}

NetworkNamespace::~NetworkNamespace() {
  if (holder_ <= 0) return;
  ::kill(holder_, SIGKILL);
  ::waitpid(holder_, nullptr, 0);
}

}  // namespace virtual_lab
