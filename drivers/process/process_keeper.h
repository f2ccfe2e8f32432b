// Keeps one child process on a thread of its own: the kernel ends a child with the *thread* that started it.
#pragma once

#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <thread>

#include "drivers/console/line_assembler.h"
#include "harness/base/child_process.h"

namespace hilmark {

class ProcessKeeper {
 public:
  /// Both are called on the keeper's thread.
  struct Callbacks {
    std::function<void(const std::string&)> on_line;  ///< of its output, stdout and stderr together
    std::function<void(const ExitStatus&)> on_ended;  ///< it ended by itself
  };
  /// Errors: rig (out of resources).
  [[nodiscard]] static Result<std::unique_ptr<ProcessKeeper>> make(Callbacks callbacks);
  ~ProcessKeeper();  ///< ends the child's whole process group
  ProcessKeeper(const ProcessKeeper&) = delete;
  ProcessKeeper& operator=(const ProcessKeeper&) = delete;

  /// Ends the present child, if there is one, then starts another.
  [[nodiscard]] Result<void> start(ChildOptions options, Milliseconds grace);
  void stop(Milliseconds grace);
  [[nodiscard]] bool running();
  [[nodiscard]] std::uint64_t lines_heard();  ///< of the present child

  static constexpr std::size_t max_line_bytes = 16'384;

 private:
  ProcessKeeper(Callbacks callbacks, UniqueFd wake) : callbacks_(std::move(callbacks)), wake_(std::move(wake)) {}
  using Job = std::packaged_task<Result<void>()>;
  Result<void> run(std::function<Result<void>()> work);
  void loop();
  [[nodiscard]] bool take_jobs();  // false: the keeper ends
  void wait_for_something();
  bool read_output();  // whether there may be more
  void end_child(Milliseconds grace);
  void notice_end();

  Callbacks callbacks_;
  UniqueFd wake_;
  std::thread thread_;
  std::mutex mutex_;
  std::vector<Job> jobs_;
  bool stopping_ = false;

  // On the keeper's thread only:
  ChildProcess child_;
  UniqueFd output_;
  UniqueFd ended_;  // a pidfd: readable once the child has ended
  LineAssembler assembler_{max_line_bytes};
  std::uint64_t lines_ = 0;
};

}  // namespace hilmark
