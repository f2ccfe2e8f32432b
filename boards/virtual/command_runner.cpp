#include "boards/virtual/command_runner.h"

#include <cstdlib>
#include <cstring>

#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#include "boards/virtual/process_fd.h"

extern char** environ;

namespace virtual_lab {
namespace {

constexpr int no_such_program = 127;
constexpr int cannot_run = 126;

std::string value_of(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// Our environment, and what makes the lab's boards visible in it.
std::vector<std::string> lab_environment(const CommandLine& command) {
  const std::string already = value_of("LD_PRELOAD");
  const std::string sanitizer = value_of("ASAN_OPTIONS");
  std::vector<std::pair<std::string, std::string>> ours{{"UMOCKDEV_DIR", command.umockdev_dir.string()}};
  if (!command.preload.empty()) {
    ours.emplace_back("LD_PRELOAD", already.empty() ? command.preload : already + ":" + command.preload);
    // AddressSanitizer insists on being the first library of all, for no reason that holds here.
    ours.emplace_back("ASAN_OPTIONS", (sanitizer.empty() ? "" : sanitizer + ":") + "verify_asan_link_order=0");
  }
  std::vector<std::string> environment;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    bool replaced = false;
    for (const auto& [name, value] : ours) replaced = replaced || text.starts_with(fmt::format("{}=", name));
    if (!replaced) environment.emplace_back(text);
  }
  for (const auto& [name, value] : ours) environment.push_back(fmt::format("{}={}", name, value));
  return environment;
}

std::vector<char*> as_pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

SignalsAsEvents::SignalsAsEvents() {
  sigset_t taken;
  sigemptyset(&taken);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&taken, number);
  ::sigprocmask(SIG_BLOCK, &taken, &before_);
  fd_.reset(::signalfd(-1, &taken, SFD_CLOEXEC | SFD_NONBLOCK));
}

Result<std::unique_ptr<CommandRunner>> CommandRunner::start(EventLoop& loop, const SignalsAsEvents& signals,
                                                            const CommandLine& command) {
  std::vector<std::string> words = command.words;
  std::vector<std::string> environment = lab_environment(command);
  const std::vector<char*> arguments = as_pointers(words);
  const std::vector<char*> variables = as_pointers(environment);
  std::unique_ptr<CommandRunner> runner(new CommandRunner(loop, signals));
  const pid_t lab = ::getpid();
  runner->pid_ = ::fork();
  if (runner->pid_ < 0) return errno_failure("cannot start a process");
  if (runner->pid_ == 0) {
    signals.undo();
    ::signal(SIGPIPE, SIG_DFL);
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (::getppid() != lab) ::_exit(cannot_run);
    ::execvpe(arguments[0], arguments.data(), variables.data());
    const int error = errno;
    fmt::print(stderr, "virtual-lab: cannot run {}: {}\n", arguments[0], std::strerror(error));
    ::_exit(error == ENOENT ? no_such_program : cannot_run);
  }
  runner->process_ = open_process_fd(runner->pid_);
  if (!runner->process_.valid()) return errno_failure("cannot watch the command");
  CommandRunner* watched = runner.get();
  loop.watch(runner->process_.get(), POLLIN, [watched](short) { watched->reap(); });
  loop.watch(signals.fd(), POLLIN, [watched](short) { watched->forward_signal(); });
  return runner;
}

CommandRunner::~CommandRunner() {
  if (process_.valid()) loop_.unwatch(process_.get());
  loop_.unwatch(signals_.fd());
  if (pid_ <= 0) return;
  ::kill(pid_, SIGTERM);
  ::waitpid(pid_, nullptr, 0);
}

void CommandRunner::forward_signal() {
  signalfd_siginfo info{};
  if (::read(signals_.fd(), &info, sizeof info) != sizeof info || pid_ <= 0) return;
  // What the terminal sends (Ctrl-C), the kernel has sent to the command as well: one process group.
  if (info.ssi_code == SI_KERNEL) return;
  ::kill(pid_, static_cast<int>(info.ssi_signo));
}

void CommandRunner::reap() {
  int status = 0;
  if (::waitpid(pid_, &status, WNOHANG) != pid_) return;
  pid_ = 0;
  loop_.unwatch(process_.get());
  exit_status_ = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace virtual_lab
