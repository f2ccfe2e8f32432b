// The parent's end of one worker: its process, its orders, its lines.
#pragma once

#include <csignal>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "harness/base/child_process.h"
#include "harness/base/temporary_folder.h"
#include "harness/conductor/worker_orders.h"

namespace hilmark {

class WorkerLink {
 public:
  struct Start {
    std::vector<std::string> command;  ///< the program and "worker", then words for people
    std::filesystem::path log;         ///< its stdout and stderr
  };
  /// Starts it and gives it its orders; their `folder` is made here and removed with this object.
  [[nodiscard]] static Result<WorkerLink> start(const Start& start, WorkerOrders orders);

  [[nodiscard]] pid_t pid() const { return process_.pid(); }
  [[nodiscard]] int events_fd() const { return events_.get(); }
  void go();
  /// SIGTERM, or the end of its control descriptor: what has not begun then never does.
  void ask_to_stop();
  void kill() const { process_.signal_group(SIGKILL); }

  enum class Reading { more, ended, too_long };
  /// Reads what is there and hands over each whole line. `ended`: nobody holds the other end any more.
  [[nodiscard]] Reading read(const std::function<void(std::string_view)>& on_line);
  /// Waits for the end of the worker and of all that it left behind; kills what does not end. Call it after `ended`.
  [[nodiscard]] ExitStatus end(Milliseconds grace);
  /// The last lines that it wrote to its log.
  [[nodiscard]] std::string last_words() const;

 private:
  WorkerLink(TemporaryFolder folder, ChildProcess process, UniqueFd control, UniqueFd events,
             std::filesystem::path log);
  TemporaryFolder folder_;
  ChildProcess process_;
  UniqueFd control_;
  UniqueFd events_;
  std::filesystem::path log_;
  std::string buffer_;
};

/// Makes this process the one to which orphans of its children fall, so that end() can wait for them.
void adopt_orphans();

}  // namespace hilmark
