#include "boards/virtual/event_loop.h"

#include <algorithm>
#include <stdexcept>
#include <vector>

#include <poll.h>
#include <sys/eventfd.h>

namespace virtual_lab {

EventLoop::EventLoop() : wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!wake_.valid()) throw std::runtime_error("cannot make an eventfd");
}

void EventLoop::watch(int fd, short events, Ready ready) {
  watchers_.insert_or_assign(fd, Watcher{events, std::move(ready), ++last_id_});
}

void EventLoop::unwatch(int fd) { watchers_.erase(fd); }

EventLoop::TimerId EventLoop::after(std::chrono::milliseconds delay, Task task) {
  timers_.emplace(std::chrono::steady_clock::now() + delay, Timer{++last_id_, std::move(task)});
  return last_id_;
}

void EventLoop::cancel(TimerId timer) {
  const auto found =
      std::find_if(timers_.begin(), timers_.end(), [&](const auto& one) { return one.second.id == timer; });
  if (found != timers_.end()) timers_.erase(found);
}

void EventLoop::post(Task task) {
  const std::lock_guard lock(posted_mutex_);
  posted_.push_back(std::move(task));
  const std::uint64_t one = 1;
  // Fails only when the counter is full, and then the loop is awake anyway.
  [[maybe_unused]] const ssize_t written = ::write(wake_.get(), &one, sizeof one);
}

void EventLoop::run_until(const std::function<bool()>& done) {
  while (!done()) run_once();
}

void EventLoop::run_once() {
  std::vector<pollfd> descriptors{{wake_.get(), POLLIN, 0}};
  std::vector<std::uint64_t> ids{0};
  for (const auto& [fd, watcher] : watchers_) {
    descriptors.push_back({fd, watcher.events, 0});
    ids.push_back(watcher.id);
  }
  if (::poll(descriptors.data(), descriptors.size(), poll_timeout_ms()) < 0) return;  // EINTR
  if (descriptors[0].revents != 0) run_posted();
  run_due_timers();
  for (std::size_t i = 1; i < descriptors.size(); ++i) {
    if (descriptors[i].revents == 0) continue;
    const auto found = watchers_.find(descriptors[i].fd);
    // An earlier callback may have closed this descriptor, or made a new one of the same number.
    if (found == watchers_.end() || found->second.id != ids[i]) continue;
    const Ready ready = found->second.ready;
    ready(descriptors[i].revents);
  }
}

void EventLoop::run_posted() {
  std::uint64_t count = 0;
  [[maybe_unused]] const ssize_t got = ::read(wake_.get(), &count, sizeof count);
  std::deque<Task> tasks;
  {
    const std::lock_guard lock(posted_mutex_);
    tasks.swap(posted_);
  }
  for (const Task& task : tasks) task();
}

void EventLoop::run_due_timers() {
  const auto now = std::chrono::steady_clock::now();
  while (!timers_.empty() && timers_.begin()->first <= now) {
    const Task task = std::move(timers_.begin()->second.task);
    timers_.erase(timers_.begin());
    task();
  }
}

int EventLoop::poll_timeout_ms() const {
  if (timers_.empty()) return -1;
  const auto left = timers_.begin()->first - std::chrono::steady_clock::now();
  return static_cast<int>(std::max<std::int64_t>(0, std::chrono::ceil<std::chrono::milliseconds>(left).count()));
}

}  // namespace virtual_lab
