#include "harness/conductor/worker_link.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <fstream>

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/base/bytes.h"
#include "harness/base/write_all.h"

namespace hilmark {
namespace {

constexpr std::size_t max_line_bytes = 4U << 20;

struct Pipe {
  UniqueFd read_end;
  UniqueFd write_end;
};

Result<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail(ErrorKind::rig, "pipe: {}", errno_text(errno));
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

}  // namespace

void adopt_orphans() { ::prctl(PR_SET_CHILD_SUBREAPER, 1); }

WorkerLink::WorkerLink(TemporaryFolder folder, ChildProcess process, UniqueFd control, UniqueFd events,
                       std::filesystem::path log)
    : folder_(std::move(folder)),
      process_(std::move(process)),
      control_(std::move(control)),
      events_(std::move(events)),
      log_(std::move(log)) {}

Result<WorkerLink> WorkerLink::start(const Start& start, WorkerOrders orders) {
  auto folder = TemporaryFolder::make();
  if (!folder) return fail(folder.error());
  orders.folder = folder->path().string();
  auto control = make_pipe();
  if (!control) return fail(control.error());
  auto events = make_pipe();
  if (!events) return fail(events.error());
  ChildOptions options;
  options.command = start.command;
  options.output_file = start.log;
  options.descriptors = {{worker_control_fd, control->read_end.get()}, {worker_events_fd, events->write_end.get()}};
  options.keep_preload = true;  // It is a USB client.
  auto process = ChildProcess::start(options);
  if (!process) return fail(process.error());
  ::fcntl(events->read_end.get(), F_SETFL, O_NONBLOCK);
  control->read_end.reset();
  // If it has gone, its end is told by the other pipe.
  (void)write_all(control->write_end.get(), orders_line(orders));
  return WorkerLink(std::move(*folder), std::move(*process), std::move(control->write_end), std::move(events->read_end),
                    start.log);
}

void WorkerLink::go() { (void)write_all(control_.get(), "go\n"); }

void WorkerLink::ask_to_stop() {
  control_.reset();
  process_.signal_group(SIGTERM);
}

WorkerLink::Reading WorkerLink::read(const std::function<void(std::string_view)>& on_line) {
  std::array<char, 65536> chunk{};
  const ssize_t count = ::read(events_.get(), chunk.data(), chunk.size());
  if (count < 0) return errno == EAGAIN || errno == EINTR ? Reading::more : Reading::ended;
  if (count == 0) return Reading::ended;
  std::size_t scanned = buffer_.size();
  buffer_.append(chunk.data(), static_cast<std::size_t>(count));
  std::size_t start = 0;
  for (std::size_t end = 0; (end = buffer_.find('\n', scanned)) != std::string::npos; start = scanned = end + 1) {
    on_line(std::string_view(buffer_).substr(start, end - start));
  }
  buffer_.erase(0, start);
  return buffer_.size() > max_line_bytes ? Reading::too_long : Reading::more;
}

ExitStatus WorkerLink::end(Milliseconds grace) {
  const SystemClock clock;
  const pid_t group = process_.pid();
  const auto ended = process_.wait(Deadline(clock, grace));
  // Once its supervisor was killed, the rest of the group is ours: it is dying, or made to.
  process_.signal_group(SIGKILL);
  const ExitStatus status = ended ? *ended : process_.stop(Milliseconds{0});
  while (::waitpid(-group, nullptr, 0) > 0 || errno == EINTR) {
  }
  return status;
}

std::string WorkerLink::last_words() const {
  static constexpr std::streamoff max_bytes = 2000;
  std::ifstream log(log_, std::ios::binary | std::ios::ate);
  if (!log) return {};
  const std::streamoff size = log.tellg();
  log.seekg(std::max<std::streamoff>(0, size - max_bytes));
  std::string text(static_cast<std::size_t>(std::min(size, max_bytes)), '\0');
  log.read(text.data(), static_cast<std::streamsize>(text.size()));
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return printable(text);
}

}  // namespace hilmark
