#include "drivers/unit/unit_lock.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

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

std::string own_command() {
  std::string command;
  if (const auto content = read_file("/proc/self/cmdline")) command = as_text(*content);
  for (char& octet : command) {
    if (octet == '\0') octet = ' ';
  }
  return printable(command.substr(0, max_holder_bytes / 2));
}

}  // namespace

Result<UnitLock> UnitLock::acquire(const std::string& name, IfHeld if_held, const std::filesystem::path& folder) {
  if (const auto made = make_folder(folder); !made) return fail(made.error());
  const std::filesystem::path file = folder / (name + ".lock");
  UniqueFd fd = open_lock(file);
  if (!fd) return fail(ErrorKind::usage, "cannot open the lock {}: {}", file.string(), errno_text(errno));
  if (::flock(fd.get(), if_held == IfHeld::wait ? LOCK_EX : LOCK_EX | LOCK_NB) != 0) {
    if (errno == EINTR) return fail(ErrorKind::interrupted, "interrupted while waiting for {}", file.string());
    if (errno == EWOULDBLOCK)
      return fail(ErrorKind::usage, "{} is held by {}; wait for it, or end it", name, holder_of(fd));
    return fail(ErrorKind::rig, "cannot lock {}: {}", file.string(), errno_text(errno));
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
