#include "drivers/process/process_keeper.h"

#include <array>
#include <cerrno>
#include <csignal>

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>

namespace hilmark {

Result<std::unique_ptr<ProcessKeeper>> ProcessKeeper::make(Callbacks callbacks) {
  UniqueFd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake) return fail(ErrorKind::rig, "eventfd: {}", errno_text(errno));
  std::unique_ptr<ProcessKeeper> keeper(new ProcessKeeper(std::move(callbacks), std::move(wake)));
  keeper->thread_ = std::thread([&self = *keeper] { self.loop(); });
  return keeper;
}

ProcessKeeper::~ProcessKeeper() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  ::eventfd_write(wake_.get(), 1);
  if (thread_.joinable()) thread_.join();
}

Result<void> ProcessKeeper::run(std::function<Result<void>()> work) {
  Job job(std::move(work));
  auto done = job.get_future();
  {
    const std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
  }
  ::eventfd_write(wake_.get(), 1);
  return done.get();
}

Result<void> ProcessKeeper::start(ChildOptions options, Milliseconds grace) {
  return run([this, options = std::move(options), grace]() -> Result<void> {
    end_child(grace);
    auto child = ChildProcess::start(options);
    if (!child) return fail(child.error());
    child_ = std::move(*child);
    output_ = child_.take_output();
    ::fcntl(output_.get(), F_SETFL, O_NONBLOCK);
    ended_.reset(static_cast<int>(::syscall(SYS_pidfd_open, child_.pid(), 0)));
    assembler_ = LineAssembler(max_line_bytes);
    lines_ = 0;
    return {};
  });
}

void ProcessKeeper::stop(Milliseconds grace) {
  (void)run([this, grace]() -> Result<void> {
    end_child(grace);
    return {};
  });
}

bool ProcessKeeper::running() {
  bool alive = false;
  (void)run([&]() -> Result<void> {
    alive = child_.running();
    return {};
  });
  return alive;
}

std::uint64_t ProcessKeeper::lines_heard() {
  std::uint64_t lines = 0;
  (void)run([&]() -> Result<void> {
    lines = lines_;
    return {};
  });
  return lines;
}

void ProcessKeeper::loop() {
  while (take_jobs()) wait_for_something();
  end_child(Milliseconds{0});
}

bool ProcessKeeper::take_jobs() {
  std::vector<Job> jobs;
  {
    const std::lock_guard lock(mutex_);
    jobs.swap(jobs_);
    if (stopping_) return false;
  }
  for (Job& job : jobs) job();
  return true;
}

void ProcessKeeper::wait_for_something() {
  std::array<pollfd, 3> ready{{{wake_.get(), POLLIN, 0}, {output_.get(), POLLIN, 0}, {ended_.get(), POLLIN, 0}}};
  if (::poll(ready.data(), ready.size(), -1) < 0) return;  // EINTR: a signal of somebody else's
  eventfd_t count = 0;
  if (ready[0].revents != 0) ::eventfd_read(wake_.get(), &count);
  if (ready[1].revents != 0) (void)read_output();
  if (ready[2].revents != 0) notice_end();
}

bool ProcessKeeper::read_output() {
  std::array<std::uint8_t, 4096> chunk{};
  const ssize_t count = ::read(output_.get(), chunk.data(), chunk.size());
  if (count < 0 && errno == EINTR) return true;
  if (count < 0 && errno == EAGAIN) return false;
  if (count <= 0) {
    output_.reset();
    return false;
  }
  for (const AssembledLine& line : assembler_.feed({chunk.data(), static_cast<std::size_t>(count)})) {
    ++lines_;
    callbacks_.on_line(line.raw);
  }
  return true;
}

void ProcessKeeper::notice_end() {
  const SystemClock clock;
  ended_.reset();
  if (const auto status = child_.wait(Deadline(clock, Milliseconds{0}))) callbacks_.on_ended(*status);
}

void ProcessKeeper::end_child(Milliseconds grace) {
  ended_.reset();
  if (child_.pid() > 0) (void)child_.stop(grace);
  child_ = ChildProcess();
  // What it said at its end is still its own; nothing of it may be taken for its successor's.
  while (output_ && read_output()) {
  }
  output_.reset();
}

}  // namespace hilmark
