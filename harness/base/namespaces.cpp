#include "harness/base/namespaces.h"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/base/bytes.h"
#include "harness/base/unique_fd.h"

namespace hilmark {
namespace {

Result<void> write_proc(const std::string& path, const std::string& text) {
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd || ::write(fd.get(), text.data(), text.size()) < 0) {
    return fail(ErrorKind::rig, "cannot write {}: {}", path, errno_text(errno));
  }
  return {};
}

Result<void> bring_loopback_up() {
  const UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  std::strncpy(request.ifr_name, "lo", IFNAMSIZ - 1);
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  if (!fd || ::ioctl(fd.get(), SIOCSIFFLAGS, &request) != 0) {
    return fail(ErrorKind::rig, "cannot bring the loopback up: {}", errno_text(errno));
  }
  return {};
}

enum class Unshared { nothing, user_and_network, network };

/// Root needs no user namespace, and in a chroot the kernel makes none (EPERM). `errno` tells why there is nothing.
Unshared unshare_network() {
  if (::unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0) return Unshared::user_and_network;
  if (errno == EPERM && ::geteuid() == 0 && ::unshare(CLONE_NEWNET) == 0) return Unshared::network;
  return Unshared::nothing;
}

Result<void> enter(pid_t holder, const char* which, int type) {
  const std::string path = fmt::format("/proc/{}/ns/{}", holder, which);
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) {
    return fail(ErrorKind::rig, "the unit's namespace {} is gone ({}); is virtual-lab still running?", path,
                errno_text(errno));
  }
  struct stat theirs {};
  struct stat ours {};
  const std::string own = fmt::format("/proc/self/ns/{}", which);
  // Joining one's own user namespace is an error (EINVAL), and needless.
  if (::fstat(fd.get(), &theirs) == 0 && ::stat(own.c_str(), &ours) == 0 && theirs.st_ino == ours.st_ino) return {};
  if (::setns(fd.get(), type) != 0) return fail(ErrorKind::rig, "cannot join {}: {}", path, errno_text(errno));
  return {};
}

}  // namespace

Result<void> namespaces_allowed() {
  const pid_t child = ::fork();
  if (child < 0) return fail(ErrorKind::rig, "fork: {}", errno_text(errno));
  if (child == 0) ::_exit(unshare_network() == Unshared::nothing ? errno : 0);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  return fail(ErrorKind::rig, "user and network namespaces are forbidden here: {}",
              WIFEXITED(status) ? errno_text(WEXITSTATUS(status)) : "the probe was killed");
}

Result<void> join_unit_namespace(pid_t holder) {
  return enter(holder, "user", CLONE_NEWUSER).and_then([&] { return enter(holder, "net", CLONE_NEWNET); });
}

Result<void> make_unit_namespace() {
  const uid_t uid = ::geteuid();
  const gid_t gid = ::getegid();
  const Unshared unshared = unshare_network();
  if (unshared == Unshared::nothing) {
    return fail(ErrorKind::rig, "cannot make a network namespace: {}", errno_text(errno));
  }
  if (unshared == Unshared::network) return bring_loopback_up();
  return write_proc("/proc/self/setgroups", "deny")
      .and_then([&] { return write_proc("/proc/self/uid_map", fmt::format("0 {} 1", uid)); })
      .and_then([&] { return write_proc("/proc/self/gid_map", fmt::format("0 {} 1", gid)); })
      .and_then(bring_loopback_up);
}

Result<void> isolate_mounts_and_children() {
  if (::unshare(CLONE_NEWNS | CLONE_NEWPID) != 0) {
    return fail(ErrorKind::rig, "cannot make a mount namespace: {}", errno_text(errno));
  }
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    return fail(ErrorKind::rig, "cannot make the mounts private: {}", errno_text(errno));
  }
  return {};
}

Result<void> overlay_file(const std::filesystem::path& target, const std::string& content,
                          const std::filesystem::path& folder) {
  const std::filesystem::path source = folder / target.filename();
  // The bind mount shows the file itself, so a new content must go into the same inode.
  const UniqueFd fd(::open(source.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!fd || ::write(fd.get(), content.data(), content.size()) != static_cast<ssize_t>(content.size())) {
    return fail(ErrorKind::rig, "cannot write {}: {}", source.string(), errno_text(errno));
  }
  if (::mount(source.c_str(), target.c_str(), nullptr, MS_BIND, nullptr) != 0) {
    return fail(ErrorKind::rig, "cannot show the unit its own {}: {}", target.string(), errno_text(errno));
  }
  return {};
}

}  // namespace hilmark
