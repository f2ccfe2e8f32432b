#include "drivers/unit/unit_lock.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/base/bytes.h"

namespace hilmark {
namespace {

constexpr mode_t shared_folder_mode = 01777;
constexpr mode_t lock_mode = 0666;
constexpr std::size_t max_holder_bytes = 400;

Result<void> make_folder(const std::filesystem::path& folder) {
  if (::mkdir(folder.c_str(), shared_folder_mode) == 0) {
    ::chmod(folder.c_str(), shared_folder_mode);  // mkdir's mode is cut by the umask.
    return {};
  }
  if (errno == EEXIST) return {};
  return fail(ErrorKind::usage, "cannot make {}: {}; make it once with `sudo install -d -m 1777 {}`", folder.string(),
              errno_text(errno), folder.string());
}

/// Existing files are opened without O_CREAT: in a sticky folder the kernel refuses that for files of others
/// (fs.protected_regular).
UniqueFd open_lock(const std::filesystem::path& file) {
  UniqueFd fd(::open(file.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (!fd && errno == ENOENT) {
    fd.reset(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, lock_mode));
    if (fd) ::fchmod(fd.get(), lock_mode);
  }
  return fd;
}

std::string holder_of(const UniqueFd& fd) {
  std::array<char, max_holder_bytes> text{};
  const ssize_t length = ::pread(fd.get(), text.data(), text.size(), 0);
  std::string holder = printable({text.data(), static_cast<std::size_t>(std::max<ssize_t>(length, 0))});
  while (!holder.empty() && holder.back() == '\n') holder.pop_back();
  return holder.empty() ? "another process" : holder;
}

/// Whether the kernel's list has an exclusive flock() on that file, and not only those who wait for one (proc(5)).
bool is_locked(std::string_view list, const struct stat& file) {
  const std::string place = fmt::format(" {:02x}:{:02x}:{} ", major(file.st_dev), minor(file.st_dev), file.st_ino);
  while (!list.empty()) {
    const std::string_view line = list.substr(0, list.find('\n'));
    list.remove_prefix(std::min(line.size() + 1, list.size()));
    const auto has = [&](std::string_view text) { return line.find(text) != std::string_view::npos; };
    if (has(place) && has(" FLOCK ") && has(" WRITE ") && !has(" -> ")) return true;
  }
  return false;
}

/// Waits for the lock of `fd` until `deadline` (none: for ever); whether it is there. flock() has no time limit, but
/// its lock belongs to the open file, so that a child can get it for its parent, and be ended where it takes too long.
Result<bool> wait_for_lock(const UniqueFd& fd, const std::optional<Deadline>& deadline) {
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) return fail(ErrorKind::rig, "cannot wait for a lock: fork: {}", errno_text(errno));
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);
    int locked = -1;
    while ((locked = ::flock(fd.get(), LOCK_EX)) != 0 && errno == EINTR) {
    }
    ::_exit(locked == 0 ? 0 : errno);  // Linux's errno values fit
  }
  const UniqueFd ended(static_cast<int>(::syscall(SYS_pidfd_open, child, 0)));
  const int no_pidfd = ended ? 0 : errno;
  pollfd waits{ended.get(), POLLIN, 0};
  for (bool waiting = no_pidfd == 0; waiting;) {
    constexpr Milliseconds longest{60'000};  // that an int holds
    const int limit_ms = deadline ? static_cast<int>(std::min(deadline->left(), longest).count()) : -1;
    const int happened = ::poll(&waits, 1, limit_ms);
    waiting = (happened < 0 && errno == EINTR) || (happened == 0 && deadline && !deadline->expired());
  }
  ::kill(child, SIGKILL);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) != 0) {
    return fail(ErrorKind::rig, "cannot wait for a lock: flock: {}", errno_text(WEXITSTATUS(status)));
  }
  if (no_pidfd != 0) return fail(ErrorKind::rig, "cannot wait for a lock: pidfd_open: {}", errno_text(no_pidfd));
  return ::flock(fd.get(), LOCK_EX | LOCK_NB) == 0;
}

std::string own_command() {
  std::string command;
  if (const auto content = read_file("/proc/self/cmdline")) command = as_text(*content);
  for (char& octet : command) {
    if (octet == '\0') octet = ' ';
  }
  return printable(command.substr(0, max_holder_bytes / 2));
}

}  // namespace

Result<UnitLock> UnitLock::acquire(const std::string& name, const LockWait& wait, const std::filesystem::path& folder) {
  if (const auto made = make_folder(folder); !made) return fail(made.error());
  const std::filesystem::path file = folder / (name + ".lock");
  UniqueFd fd = open_lock(file);
  if (!fd) return fail(ErrorKind::usage, "cannot open the lock {}: {}", file.string(), errno_text(errno));
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return fail(ErrorKind::rig, "cannot lock {}: {}", file.string(), errno_text(errno));
    if (wait.limit <= Milliseconds{0})
      return fail(ErrorKind::usage, "{} is held by {}; wait for it with --wait, or end it", name, holder_of(fd));
    if (wait.on_wait) wait.on_wait(holder_of(fd));
    const SystemClock clock;
    std::optional<Deadline> deadline;
    if (wait.limit != LockWait::for_ever) deadline.emplace(clock, wait.limit);
    const auto came = wait_for_lock(fd, deadline);
    if (!came) return fail(came.error());
    if (!*came) {
      return fail(ErrorKind::usage, "{} is held by {} still, and the time for waiting is over; wait longer, or end it",
                  name, holder_of(fd));
    }
  }
  const std::string holder = fmt::format("pid {}: {}\n", ::getpid(), own_command());
  // Only for messages: a lock that cannot name its holder is a lock all the same.
  (void)!::ftruncate(fd.get(), 0);
  (void)!::pwrite(fd.get(), holder.data(), holder.size(), 0);
  return UnitLock(std::move(fd));
}

Result<std::optional<std::string>> UnitLock::holder(const std::string& name, const std::filesystem::path& folder) {
  const std::filesystem::path file = folder / (name + ".lock");
  const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd && errno == ENOENT) return std::nullopt;
  struct stat info {};
  if (!fd || ::fstat(fd.get(), &info) != 0) {
    return fail(ErrorKind::usage, "cannot open the lock {}: {}", file.string(), errno_text(errno));
  }
  const auto list = read_file("/proc/locks");
  if (!list) return fail(ErrorKind::rig, "who holds {} cannot be seen: {}", file.string(), list.error().message);
  if (!is_locked(as_text(*list), info)) return std::nullopt;
  return holder_of(fd);
}

std::string lock_name(const std::string& port, const std::string& unit_id) {
  if (port.empty()) return "process-" + unit_id;
  const char* const lab = std::getenv("UMOCKDEV_DIR");
  if (lab == nullptr || *lab == '\0') return "usb-" + port;
  std::filesystem::path root(lab);
  if (!root.has_filename()) root = root.parent_path();
  return root.filename().string() + "-" + port;
}

}  // namespace hilmark
