#include "harness/conductor/worker.h"

#include <cerrno>
#include <csignal>
#include <string_view>

#include <fcntl.h>
#include <unistd.h>

#include "drivers/unit/unit_lock.h"
#include "harness/base/bytes.h"
#include "harness/conductor/event_writer.h"

namespace hilmark {
namespace {

/// The next line on the control descriptor; nothing when the parent has gone.
Result<std::string> read_control_line() {
  static constexpr std::size_t max_bytes = 16U << 20;
  std::string line;
  for (char letter = 0; line.size() < max_bytes;) {
    const ssize_t count = ::read(worker_control_fd, &letter, 1);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return fail(ErrorKind::interrupted, "the run has ended");
    if (letter == '\n') return line;
    line += letter;
  }
  return fail(ErrorKind::usage, "a worker is started by `hilmark run`, not by hand");
}

bool stop_asked() {
  sigset_t pending;
  ::sigpending(&pending);
  return sigismember(&pending, SIGTERM) == 1 || sigismember(&pending, SIGINT) == 1;
}

class Worker {
 public:
  explicit Worker(WorkerProgram& program) : program_(program) {}

  int run() {
    for (const int fd : {worker_control_fd, worker_events_fd}) {
      if (::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
        fmt::print(stderr, "hilmark worker: a worker is started by `hilmark run`, not by hand\n");
        return 2;
      }
    }
    const auto ready = make_ready();
    if (!ready) return refuse(ready.error());
    events_.write({{"type", "worker_ready"}});
    if (!read_control_line()) return 0;
    const auto done = program_.run([this](boost::json::object event) { events_.write(std::move(event)); }, stop_asked);
    events_.write({{"type", "worker_done"},
                   {"ok", done.has_value()},
                   {"kind", done ? "" : name_of(done.error().kind)},
                   {"message", done ? "" : printable(done.error().message)}});
    return 0;
  }

 private:
  Result<void> make_ready() {
    const auto line = read_control_line();
    if (!line) return fail(line.error());
    const auto orders = orders_from(*line);
    if (!orders) return fail(orders.error());
    // Before any fork, so that the lock names the process that the user knows.
    const auto tell = [this](const std::string& holder) {
      events_.write({{"type", "worker_waits"}, {"holder", holder}});
    };
    auto lock = UnitLock::acquire(lock_name(orders->unit.port, orders->unit.id),
                                  {.limit = Milliseconds(orders->wait_ms), .on_wait = tell});
    if (!lock) return fail(lock.error(), "unit {}", orders->unit.id);
    lock_.emplace(std::move(*lock));
    auto world = enter_world(*orders);
    if (!world) return fail(world.error());
    if (auto supervised = continue_supervised(); !supervised) return supervised;
    if (auto furnished = furnish_world(*world, orders->folder); !furnished) return furnished;
    for (const std::string& note : world->notes) fmt::print(stderr, "{}: {}\n", orders->unit.id, note);
    return program_.prepare(*orders, *world);
  }

  int refuse(const Error& error) {
    events_.write({{"type", "worker_refused"}, {"kind", name_of(error.kind)}, {"message", printable(error.message)}});
    return 2;
  }

  WorkerProgram& program_;
  SystemClock clock_;
  EventWriter events_{worker_events_fd, clock_};
  std::optional<UnitLock> lock_;
};

}  // namespace

bool is_worker(int argument_count, const char* const* arguments) {
  return argument_count > 1 && std::string_view(arguments[1]) == "worker";
}

int worker_main(WorkerProgram& program) { return Worker(program).run(); }

}  // namespace hilmark
