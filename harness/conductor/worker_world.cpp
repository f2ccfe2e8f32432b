#include "harness/conductor/worker_world.h"

#include <cerrno>
#include <csignal>
#include <cstdlib>

#include <arpa/inet.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/base/namespaces.h"
#include "harness/base/unique_fd.h"

namespace hilmark {
namespace {

constexpr std::uint16_t standard_mqtt_port = 8883;
constexpr int signal_exit_base = 128;

sigset_t supervised_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGCHLD}) sigaddset(&signals, signal);
  return signals;
}

/// Waits for `child`, reaping all others and passing signals on, and ends with its status.
[[noreturn]] void supervise(pid_t child) {
  const sigset_t signals = supervised_signals();
  for (;;) {
    const int signal = ::sigwaitinfo(&signals, nullptr);
    if (signal == SIGTERM || signal == SIGINT) ::kill(child, SIGTERM);
    int status = 0;
    for (pid_t reaped = 0; (reaped = ::waitpid(-1, &status, WNOHANG)) > 0;) {
      if (reaped != child) continue;
      // No exit handlers and no destructors: what this process holds is the grandchild's.
      ::_exit(WIFSIGNALED(status) ? signal_exit_base + WTERMSIG(status) : WEXITSTATUS(status));
    }
  }
}

/// Forks; the parent supervises, the child returns and dies with it.
Result<void> fork_supervised() {
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) return fail(ErrorKind::rig, "fork: {}", errno_text(errno));
  if (child > 0) {
    ::close(worker_control_fd);
    ::close(worker_events_fd);
    supervise(child);
  }
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  // The first in a PID namespace cannot see its parent.
  if (const pid_t now = ::getppid(); now != parent && now != 0) ::_exit(signal_exit_base + SIGKILL);
  return {};
}

std::string_view remedy_for(int number) {
  switch (number) {
    case EADDRNOTAVAIL:
      return "; this machine has no such address: give it one (ip addr add ADDRESS/24 dev INTERFACE), or correct "
             "`rig_address` in the lab file";
    case EADDRINUSE:
      return "; end the program that listens there (ss -ltnp names it)";
    default:
      return "";
  }
}

}  // namespace

Result<World> enter_world(const WorkerOrders& orders) {
  World world;
  const BenchUnit& unit = orders.unit;
  if (unit.kind == "virtual" && unit.namespace_pid > 0) {
    if (auto joined = join_unit_namespace(static_cast<pid_t>(unit.namespace_pid)); !joined)
      return fail(joined.error(), "unit {}", unit.id);
    world.own_network = true;
  } else if (unit.kind == "process" && orders.namespaces) {
    if (auto made = make_unit_namespace(); !made) return fail(made.error(), "unit {}", unit.id);
    world.own_network = true;
  }
  if (!world.own_network && unit.kind != "usb") {
    world.notes.emplace_back(
        "network namespaces are not available: the endpoint listens on the loopback, on free ports");
  }
  if (auto isolated = isolate_mounts_and_children(); isolated) {
    world.own_processes = true;
  } else if (world.own_network) {
    return fail(isolated.error(), "unit {}", unit.id);
  } else {
    world.notes.push_back(isolated.error().message +
                          ": programs of this worker share the machine's /etc/hosts and /etc/resolv.conf");
  }
  return world;
}

Result<void> continue_supervised() {
  const sigset_t signals = supervised_signals();
  ::sigprocmask(SIG_BLOCK, &signals, nullptr);
  if (auto forked = fork_supervised(); !forked) return forked;
  if (auto forked = fork_supervised(); !forked) return forked;
  // SIGTERM and SIGINT stay blocked, so that they wait until the worker asks for them.
  sigset_t child_signal;
  sigemptyset(&child_signal);
  sigaddset(&child_signal, SIGCHLD);
  ::sigprocmask(SIG_UNBLOCK, &child_signal, nullptr);
  return {};
}

Result<void> furnish_world(World& world, const std::filesystem::path& folder) {
  if (!world.own_processes) return {};
  if (::mount("hilmark", folder.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, "mode=0700") != 0) {
    world.notes.push_back(fmt::format("{} is on a disk ({}): keys made for this run are removed at its end",
                                      folder.string(), errno_text(errno)));
  }
  if (!world.own_network) return {};
  // Programs ask the rig's name server for all but localhost, and for names as they are.
  const std::pair<const char*, std::string> files[] = {
      {"/etc/hosts", "127.0.0.1 localhost\n"},
      {"/etc/resolv.conf",
       fmt::format("nameserver {}\nsearch .\noptions timeout:1 attempts:2\n", resolver_address_for(world))}};
  for (const auto& [file, content] : files) {
    if (std::error_code ignored; !std::filesystem::exists(file, ignored)) {
      world.notes.push_back(fmt::format("there is no {}: a program under test may not find endpoint names", file));
      continue;
    }
    if (auto shown = overlay_file(file, content, folder); !shown) return shown;
  }
  return {};
}

std::map<std::string, std::string> listen_addresses(const BenchUnit& unit, const std::vector<std::string>& regions) {
  std::map<std::string, std::string> addresses;
  for (std::size_t index = 0; index < regions.size(); ++index) {
    if (unit.kind != "usb") {
      addresses.emplace(regions[index], fmt::format("127.0.0.{}", index + 1));
    } else if (index < unit.rig_addresses.size()) {
      addresses.emplace(regions[index], unit.rig_addresses[index]);
    }
  }
  return addresses;
}

std::uint16_t mqtt_port_for(const BenchUnit& unit, const World& world) {
  return world.own_network || unit.kind == "usb" ? standard_mqtt_port : 0;
}

std::string resolver_address_for(const World& world) { return world.own_network ? "127.0.0.1" : ""; }

Result<void> check_ports_free(const std::map<std::string, std::string>& addresses, std::uint16_t port) {
  if (port == 0) return {};
  for (const auto& [region, address] : addresses) {
    const UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int yes = 1;
    ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    sockaddr_in place{};
    place.sin_family = AF_INET;
    place.sin_port = htons(port);
    ::inet_pton(AF_INET, address.c_str(), &place.sin_addr);
    if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&place), sizeof place) != 0 ||
        ::listen(socket.get(), 1) != 0) {
      const int number = errno;
      return fail(ErrorKind::usage, "the endpoint of {} cannot listen on {}:{}: {}{}", region, address, port,
                  errno_text(number), remedy_for(number));
    }
  }
  return {};
}

}  // namespace hilmark
