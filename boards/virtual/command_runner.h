// Runs the COMMAND of `virtual-lab … -- COMMAND` among the boards, and answers with its end.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <signal.h>
#include <sys/types.h>

#include "boards/virtual/event_loop.h"
#include "boards/virtual/result.h"
#include "boards/virtual/unique_fd.h"

namespace virtual_lab {

// SIGINT, SIGTERM and SIGHUP of this process come as events from now on. To be made before there are threads.
class SignalsAsEvents {
 public:
  SignalsAsEvents();
  SignalsAsEvents(const SignalsAsEvents&) = delete;
  SignalsAsEvents& operator=(const SignalsAsEvents&) = delete;

  [[nodiscard]] int fd() const { return fd_.get(); }
  // In a child between fork and exec.
  void undo() const { ::sigprocmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_{};
  UniqueFd fd_;
};

struct CommandLine {
  std::vector<std::string> words;
  std::filesystem::path umockdev_dir;
  std::string preload;  // $LD_PRELOAD; empty: as it is
};

class CommandRunner {
 public:
  // To be called from the process's main thread. The command ends with SIGTERM if that thread is killed.
  [[nodiscard]] static Result<std::unique_ptr<CommandRunner>> start(EventLoop& loop, const SignalsAsEvents& signals,
                                                                    const CommandLine& command);
  CommandRunner(const CommandRunner&) = delete;
  CommandRunner& operator=(const CommandRunner&) = delete;
  ~CommandRunner();

  // Its exit status once it has ended: 128 + n for a signal; 127 if there is no such program, 126 if it cannot be run.
  [[nodiscard]] std::optional<int> exit_status() const { return exit_status_; }

 private:
  CommandRunner(EventLoop& loop, const SignalsAsEvents& signals) : loop_(loop), signals_(signals) {}
  void forward_signal();
  void reap();

  EventLoop& loop_;
  const SignalsAsEvents& signals_;
  pid_t pid_ = 0;
  UniqueFd process_;
  std::optional<int> exit_status_;
};

}  // namespace virtual_lab
