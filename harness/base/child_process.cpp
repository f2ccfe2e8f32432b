#include "harness/base/child_process.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace hilmark {
namespace {

std::vector<std::string> environment_of(const ChildOptions& options) {
  std::vector<std::string> lines;
  if (options.environment) {
    for (const auto& [name, value] : *options.environment) lines.push_back(name + "=" + value);
    return lines;
  }
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view line(*entry);
    const bool preload = line.starts_with("LD_PRELOAD=") || line.starts_with("UMOCKDEV_DIR=");
    if (!preload || options.keep_preload) lines.emplace_back(line);
  }
  return lines;
}

std::vector<char*> pointers(std::vector<std::string>& lines) {
  std::vector<char*> result;
  result.reserve(lines.size() + 1);
  for (std::string& line : lines) result.push_back(line.data());
  result.push_back(nullptr);
  return result;
}

/// What the child needs after fork, made before it: nothing there may allocate.
struct Prepared {
  std::string program;
  std::string folder;
  std::vector<char*> arguments;
  std::vector<char*> environment;
  std::vector<std::pair<int, int>> descriptors;  // child's number, a duplicate that clashes with none of them
  int output = -1;
  pid_t parent = 0;
  bool die_with_parent = true;
};

/// No descriptor but those that are handed over below: sockets of libraries come without O_CLOEXEC, and a connection
/// that a child has too is not closed when we close it.
void keep_for_ourselves() {
  constexpr unsigned first = 3;
  constexpr unsigned mark_close_on_exec = 1U << 2U;  // CLOSE_RANGE_CLOEXEC, Linux 5.11
  if (::syscall(SYS_close_range, first, ~0U, mark_close_on_exec) == 0) return;
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  for (int fd = first; fd < static_cast<int>(limit.rlim_cur); ++fd) ::fcntl(fd, F_SETFD, FD_CLOEXEC);
}

[[noreturn]] void run_child(const Prepared& prepared, int error_pipe) {
  const auto give_up = [&] {
    const int reason = errno;
    (void)!::write(error_pipe, &reason, sizeof reason);
    ::_exit(127);
  };
  ::setpgid(0, 0);
  if (prepared.die_with_parent) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    // In a PID namespace of its own the parent may lie outside, where getppid() is 0: then the check says nothing.
    if (const pid_t parent = ::getppid(); parent != prepared.parent && parent != 0) ::_exit(127);
  }
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  keep_for_ourselves();
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0 || ::dup2(null, 0) < 0) give_up();
  if (prepared.output >= 0 && (::dup2(prepared.output, 1) < 0 || ::dup2(prepared.output, 2) < 0)) give_up();
  for (const auto& [number, duplicate] : prepared.descriptors) {
    if (::dup2(duplicate, number) < 0) give_up();
  }
  if (!prepared.folder.empty() && ::chdir(prepared.folder.c_str()) != 0) give_up();
  ::execve(prepared.program.c_str(), prepared.arguments.data(), prepared.environment.data());
  give_up();
  ::_exit(127);
}

}  // namespace

std::string ExitStatus::text() const {
  if (signal == 0) return fmt::format("exit status {}", code);
  return fmt::format("signal {} ({})", signal, ::strsignal(signal));
}

std::filesystem::path find_program(const std::string& program) {
  if (program.find('/') != std::string::npos) return ::access(program.c_str(), X_OK) == 0 ? program : "";
  const char* path = std::getenv("PATH");
  // Brokers live in sbin, which the PATH of ordinary users lacks.
  const std::string folders = std::string(path != nullptr ? path : "/usr/bin:/bin") + ":/usr/sbin:/sbin";
  for (std::size_t start = 0; start <= folders.size();) {
    const std::size_t end = std::min(folders.find(':', start), folders.size());
    const std::string candidate = folders.substr(start, end - start) + "/" + program;
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
    start = end + 1;
  }
  return "";
}

Result<ChildProcess> ChildProcess::start(const ChildOptions& options) {
  const std::filesystem::path program = find_program(options.command.at(0));
  if (program.empty()) return fail(ErrorKind::usage, "no program {} to run", options.command[0]);
  std::vector<std::string> arguments = options.command;
  std::vector<std::string> environment = environment_of(options);
  Prepared prepared{.program = program,
                    .folder = options.folder,
                    .arguments = pointers(arguments),
                    .environment = pointers(environment),
                    .descriptors = {},
                    .output = -1,
                    .parent = ::getpid(),
                    .die_with_parent = options.die_with_parent};
  UniqueFd read_end;
  UniqueFd write_end;
  if (!options.output_file.empty()) {
    write_end.reset(::open(options.output_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    if (!write_end) return fail(ErrorKind::rig, "cannot write {}: {}", options.output_file.string(), errno_text(errno));
  } else if (options.output == ChildOptions::Output::pipe) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail(ErrorKind::rig, "pipe: {}", errno_text(errno));
    read_end.reset(ends[0]);
    write_end.reset(ends[1]);
  } else if (options.output == ChildOptions::Output::discard) {
    write_end.reset(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  }
  prepared.output = write_end.get();
  std::vector<UniqueFd> duplicates;
  for (const auto& [number, fd] : options.descriptors) {
    duplicates.emplace_back(::fcntl(fd, F_DUPFD_CLOEXEC, 100));
    if (!duplicates.back()) return fail(ErrorKind::rig, "descriptor {}: {}", fd, errno_text(errno));
    prepared.descriptors.emplace_back(number, duplicates.back().get());
  }
  std::array<int, 2> errors{};
  if (::pipe2(errors.data(), O_CLOEXEC) != 0) return fail(ErrorKind::rig, "pipe: {}", errno_text(errno));
  const UniqueFd error_read(errors[0]);
  UniqueFd error_write(errors[1]);

  ChildProcess child;
  child.pid_ = ::fork();
  if (child.pid_ < 0) return fail(ErrorKind::rig, "fork for {}: {}", program.string(), errno_text(errno));
  if (child.pid_ == 0) run_child(prepared, error_write.get());
  ::setpgid(child.pid_, child.pid_);  // Both sides do it, so that neither has to wait for the other.
  error_write.reset();
  int reason = 0;
  ssize_t count = 0;
  do count = ::read(error_read.get(), &reason, sizeof reason);
  while (count < 0 && errno == EINTR);
  if (count == sizeof reason) {
    (void)child.reap(true);
    return fail(ErrorKind::usage, "cannot run {}: {}", program.string(), errno_text(reason));
  }
  child.pidfd_.reset(static_cast<int>(::syscall(SYS_pidfd_open, child.pid_, 0)));
  child.output_ = std::move(read_end);
  return child;
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      pidfd_(std::move(other.pidfd_)),
      output_(std::move(other.output_)),
      status_(std::exchange(other.status_, std::nullopt)) {}

ChildProcess& ChildProcess::operator=(ChildProcess&& other) noexcept {
  if (this == &other) return *this;
  if (pid_ > 0) (void)stop(Milliseconds{0});
  pid_ = std::exchange(other.pid_, -1);
  pidfd_ = std::move(other.pidfd_);
  output_ = std::move(other.output_);
  status_ = std::exchange(other.status_, std::nullopt);
  return *this;
}

ChildProcess::~ChildProcess() {
  if (pid_ > 0) (void)stop(Milliseconds{0});
}

std::optional<ExitStatus> ChildProcess::reap(bool block) {
  if (status_) return status_;
  if (pid_ <= 0) return ExitStatus{};
  int status = 0;
  pid_t reaped = 0;
  do reaped = ::waitpid(pid_, &status, block ? 0 : WNOHANG);
  while (reaped < 0 && errno == EINTR);
  if (reaped == 0) return std::nullopt;
  status_ = ExitStatus{};
  if (reaped == pid_ && WIFSIGNALED(status)) status_->signal = WTERMSIG(status);
  if (reaped == pid_ && WIFEXITED(status)) status_->code = WEXITSTATUS(status);
  return status_;
}

bool ChildProcess::running() { return pid_ > 0 && !reap(false); }

std::optional<ExitStatus> ChildProcess::wait(const Deadline& deadline) {
  while (!reap(false)) {
    if (deadline.expired()) return std::nullopt;
    pollfd wake{pidfd_.get(), POLLIN, 0};
    ::poll(&wake, 1, static_cast<int>(deadline.left().count()));
  }
  return status_;
}

void ChildProcess::signal_group(int signal) const {
  if (pid_ > 0) ::kill(-pid_, signal);
}

ExitStatus ChildProcess::stop(Milliseconds grace) {
  const SystemClock clock;
  if (grace.count() > 0 && running()) {
    signal_group(SIGTERM);
    (void)wait(Deadline(clock, grace));
  }
  // Members of the group may outlive its leader, so the group is ended even if the leader has gone.
  signal_group(SIGKILL);
  const ExitStatus status = *reap(true);
  pid_ = -1;
  return status;
}

Result<std::string> run_command(const ChildOptions& options, const Deadline& deadline) {
  static constexpr std::size_t max_output_bytes = 1U << 20;
  auto child = ChildProcess::start(options);
  if (!child) return fail(child.error());
  std::string output;
  std::array<char, 4096> chunk{};
  while (child->output()) {
    pollfd ready{child->output().get(), POLLIN, 0};
    if (::poll(&ready, 1, static_cast<int>(deadline.left().count())) == 0) {
      return fail(ErrorKind::timeout, "{} did not end within {} ms", options.command[0], deadline.span().count());
    }
    const ssize_t count = ::read(child->output().get(), chunk.data(), chunk.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    if (output.size() < max_output_bytes) output.append(chunk.data(), static_cast<std::size_t>(count));
  }
  const auto status = child->wait(deadline);
  if (!status) {
    return fail(ErrorKind::timeout, "{} did not end within {} ms", options.command[0], deadline.span().count());
  }
  if (!status->ok()) {
    const std::size_t start = output.size() > 400 ? output.size() - 400 : 0;
    return fail(ErrorKind::rig, "{}: {}: {}", options.command[0], status->text(), output.substr(start));
  }
  return output;
}

}  // namespace hilmark
