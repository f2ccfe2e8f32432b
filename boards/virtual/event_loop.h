// One thread's loop over descriptors, timers and what other threads hand over.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>

#include "boards/virtual/unique_fd.h"

namespace virtual_lab {

class EventLoop {
 public:
  using Task = std::function<void()>;
  using Ready = std::function<void(short events)>;  // poll(2)'s revents
  using TimerId = std::uint64_t;                    // 0 is no timer

  EventLoop();

  // One watcher a descriptor; a second call replaces it.
  void watch(int fd, short events, Ready ready);
  void unwatch(int fd);

  TimerId after(std::chrono::milliseconds delay, Task task);
  void cancel(TimerId timer);

  // From any thread: the task runs in the loop's.
  void post(Task task);

  void run_until(const std::function<bool()>& done);

 private:
  struct Watcher {
    short events;
    Ready ready;
    std::uint64_t id;
  };
  struct Timer {
    TimerId id;
    Task task;
  };

  void run_once();
  void run_posted();
  void run_due_timers();
  [[nodiscard]] int poll_timeout_ms() const;

  UniqueFd wake_;
  std::map<int, Watcher> watchers_;
  std::multimap<std::chrono::steady_clock::time_point, Timer> timers_;
  std::uint64_t last_id_ = 0;
  std::mutex posted_mutex_;
  std::deque<Task> posted_;
};

}  // namespace virtual_lab
