#include "boards/virtual/native_core.h"

#include <array>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "boards/virtual/core_bus.h"
#include "boards/virtual/process_fd.h"

namespace virtual_lab {
namespace {

Result<UniqueFd> memfd_of(const char* name, ByteView bytes, bool sealed) {
  UniqueFd fd(::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd.valid()) return errno_failure("cannot make a memfd");
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd.get(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return errno_failure("cannot fill a memfd");
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  ::lseek(fd.get(), 0, SEEK_SET);
  if (sealed && ::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    return errno_failure("cannot seal a memfd");
  }
  return fd;
}

// Descriptors of the firmware, by number, and the code.
struct CoreDescriptors {
  std::array<int, 6> standard;
  int code;
};

// Between fork and exec, in a process that has threads: system calls only.
[[noreturn]] void become_core(CoreDescriptors fds, const char* name, const NetworkNamespace* network, pid_t lab) {
  constexpr int exec_failed = 127;
  ::setsid();
  if (network != nullptr && ((network->has_user_namespace() && ::setns(network->user_fd(), CLONE_NEWUSER) != 0) ||
                             ::setns(network->network_fd(), CLONE_NEWNET) != 0)) {
    ::_exit(exec_failed);
  }
  // First out of the way, since their numbers may be those that are wanted.
  for (int& fd : fds.standard) fd = ::fcntl(fd, F_DUPFD_CLOEXEC, static_cast<int>(fds.standard.size()));
  fds.code = ::fcntl(fds.code, F_DUPFD_CLOEXEC, static_cast<int>(fds.standard.size()));
  for (int number = 0; number < static_cast<int>(fds.standard.size()); ++number) {
    ::dup2(fds.standard[static_cast<std::size_t>(number)], number);
  }
  ::close_range(static_cast<unsigned>(fds.standard.size()), ~0U, CLOSE_RANGE_CLOEXEC);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  const rlimit no_core_dump{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core_dump);
  if (::chdir("/") != 0) ::_exit(exec_failed);
  // After setns(), which clears it. The lab may have died before.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != lab) ::_exit(exec_failed);
  char path_variable[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  char* const environment[] = {path_variable, nullptr};
  char* const arguments[] = {const_cast<char*>(name), nullptr};
  ::fexecve(fds.code, arguments, environment);
  ::_exit(exec_failed);
}

std::string describe_end(int status) {
  if (WIFSIGNALED(status)) return fmt::format("the firmware was ended by signal {}", WTERMSIG(status));
  return fmt::format("the firmware ended with {}", WEXITSTATUS(status));
}

}  // namespace

Result<std::unique_ptr<NativeCore>> NativeCore::start(EventLoop& loop, const std::string& name,
                                                      const FirmwareImage& image, const NetworkNamespace* network,
                                                      Ports ports) {
  std::unique_ptr<NativeCore> core(new NativeCore(loop, std::move(ports)));
  const auto spawned = core->spawn(name, image, network);
  if (!spawned) return failure(spawned.error());
  return core;
}

Result<void> NativeCore::spawn(const std::string& name, const FirmwareImage& image, const NetworkNamespace* network) {
  const auto code = memfd_of("firmware", image.code, false);
  const auto rom = memfd_of("rom", image.whole, true);
  if (!code) return failure(code.error());
  if (!rom) return failure(rom.error());
  int console[2];
  int bus[2];
  int errors[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, console) != 0) return errno_failure("no console");
  console_.reset(console[0]);
  const UniqueFd cores_console(console[1]);
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, bus) != 0) return errno_failure("no bus");
  bus_.reset(bus[0]);
  const UniqueFd cores_bus(bus[1]);
  if (::pipe2(errors, O_CLOEXEC) != 0) return errno_failure("no log");
  errors_.reset(errors[0]);
  const UniqueFd cores_errors(errors[1]);
  const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null.valid()) return errno_failure("cannot open /dev/null");
  ::fcntl(errors_.get(), F_SETFL, O_NONBLOCK);
  // A small buffer, so that a firmware which does not read is felt by the host.
  const int send_buffer = 8192;
  ::setsockopt(console_.get(), SOL_SOCKET, SO_SNDBUF, &send_buffer, sizeof send_buffer);

  const CoreDescriptors fds{
      {null.get(), null.get(), cores_errors.get(), cores_console.get(), cores_bus.get(), rom->get()}, code->get()};
  const pid_t lab = ::getpid();
  pid_ = ::fork();
  if (pid_ < 0) return errno_failure("cannot start a core");
  if (pid_ == 0) become_core(fds, name.c_str(), network, lab);
  process_ = open_process_fd(pid_);
  if (!process_.valid()) return errno_failure("cannot watch a core");

  loop_.watch(process_.get(), POLLIN, [this](short) { process_ended(); });
  loop_.watch(errors_.get(), POLLIN, [this](short) { read_errors(); });
  loop_.watch(bus_.get(), POLLIN, [this](short) { serve_bus(); });
  watch_console(false);
  return {};
}

NativeCore::~NativeCore() {
  for (const UniqueFd* fd : {&process_, &console_, &bus_, &errors_}) {
    if (fd->valid()) loop_.unwatch(fd->get());
  }
  if (pid_ <= 0) return;
  ::kill(-pid_, SIGKILL);  // its session, if it has started others
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  read_errors();
}

std::size_t NativeCore::write_console(ByteView bytes) {
  if (!console_.valid() || bytes.empty()) return 0;
  const ssize_t sent = ::send(console_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  const std::size_t taken = sent < 0 ? 0 : static_cast<std::size_t>(sent);
  const bool full = sent >= 0 ? taken < bytes.size() : errno == EAGAIN;
  if (full) watch_console(true);
  return taken;
}

void NativeCore::reply_on_bus(ByteView reply) {
  // A firmware that asks without taking answers has filled its own queue; it loses the answer.
  [[maybe_unused]] const ssize_t sent = ::send(bus_.get(), reply.data(), reply.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
}

void NativeCore::watch_console(bool for_room) {
  const short events = for_room ? POLLIN | POLLOUT : POLLIN;
  loop_.watch(console_.get(), events, [this](short ready) {
    if ((ready & POLLOUT) != 0) {
      watch_console(false);
      ports_.console_has_room();
    }
    if ((ready & ~POLLOUT) != 0) read_console();
  });
}

bool NativeCore::read_console() {
  std::array<std::uint8_t, 16384> buffer;
  if (!console_.valid()) return false;
  const ssize_t got = ::recv(console_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (got > 0) {
    ports_.console_output(ByteView(buffer).first(static_cast<std::size_t>(got)));
    return true;
  }
  if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
    loop_.unwatch(console_.get());
    console_.reset();
  }
  return false;
}

void NativeCore::read_errors() {
  std::array<char, 4096> buffer;
  const ssize_t got = ::read(errors_.get(), buffer.data(), buffer.size());
  if (got > 0) ports_.error_output(std::string_view(buffer.data(), static_cast<std::size_t>(got)));
  if (got == 0) loop_.unwatch(errors_.get());
}

void NativeCore::serve_bus() {
  std::array<std::uint8_t, CoreBus::max_request + 1> buffer;
  const ssize_t got = ::recv(bus_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) {
    loop_.unwatch(bus_.get());
    return;
  }
  // What it said before it asked comes first; at most what the socket can hold, lest a babbling one keeps us here.
  constexpr int max_reads = 32;
  for (int i = 0; i < max_reads && read_console(); ++i) {
  }
  const auto request = ports_.bus_request;  // a copy: it may destroy this
  request(ByteView(buffer).first(static_cast<std::size_t>(got)));
}

void NativeCore::process_ended() {
  int status = 0;
  loop_.unwatch(process_.get());
  while (read_console()) {
  }
  read_errors();
  ::kill(-pid_, SIGKILL);
  ::waitpid(pid_, &status, 0);
  pid_ = 0;
  const auto ended = ports_.ended;  // a copy: it may destroy this
  ended(describe_end(status));
}

}  // namespace virtual_lab
