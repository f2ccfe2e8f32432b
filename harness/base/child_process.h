// A child process that never outlives the thread that started it, nor its owner.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "harness/base/clock.h"
#include "harness/base/error.h"
#include "harness/base/unique_fd.h"

namespace hilmark {

struct ChildOptions {
  std::vector<std::string> command;  ///< the program (looked up in PATH) and its arguments; not empty
  /// The whole environment; without it the parent's, less LD_PRELOAD and UMOCKDEV_DIR (no child of the rig is a USB
  /// client).
  std::optional<std::map<std::string, std::string>> environment;
  std::filesystem::path folder;                                        ///< working directory; empty: the parent's
  enum class Output { inherit, pipe, discard } output = Output::pipe;  ///< stdout and stderr together
  std::filesystem::path output_file;  ///< if set, stdout and stderr are appended there instead
  std::map<int, int> descriptors;     ///< child's number -> parent's descriptor, handed over besides 0, 1, 2
  bool die_with_parent = true;        ///< SIGKILL when the starting *thread* ends: start it from one that lives long
  bool keep_preload = false;          ///< leaves LD_PRELOAD and UMOCKDEV_DIR in an inherited environment
};

struct ExitStatus {
  int code = 0;    ///< exit code, if `signal` is 0
  int signal = 0;  ///< the signal that ended it, or 0
  [[nodiscard]] bool ok() const { return code == 0 && signal == 0; }
  [[nodiscard]] std::string text() const;  ///< "exit status 1" or "signal 9 (Killed)"
};

class ChildProcess {
 public:
  ChildProcess() = default;
  /// Starts it in a process group of its own. Errors: usage (not found, not executable), rig (out of resources).
  [[nodiscard]] static Result<ChildProcess> start(const ChildOptions& options);
  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&& other) noexcept;
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;
  ~ChildProcess();  ///< kills its whole process group

  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] bool running();                                                     ///< reaps it when it has ended
  [[nodiscard]] const std::optional<ExitStatus>& ended() const { return status_; }  ///< once it has been reaped
  [[nodiscard]] const UniqueFd& output() const { return output_; }                  ///< read end, with Output::pipe
  UniqueFd take_output() { return std::move(output_); }
  [[nodiscard]] std::optional<ExitStatus> wait(const Deadline& deadline);  ///< nullopt at the deadline
  /// Readable once it has ended: for who waits for something else besides. Valid until it is reaped.
  [[nodiscard]] int when_ended() const { return pidfd_.get(); }
  void signal_group(int signal) const;
  /// SIGTERM, then SIGKILL after `grace`; reaps.
  ExitStatus stop(Milliseconds grace);

 private:
  std::optional<ExitStatus> reap(bool block);
  pid_t pid_ = -1;
  UniqueFd pidfd_;
  UniqueFd output_;
  std::optional<ExitStatus> status_;
};

/// Runs a command to its end and returns its output (at most 1 MiB is kept). A failing command is an error that quotes
/// the output's end.
[[nodiscard]] Result<std::string> run_command(const ChildOptions& options, const Deadline& deadline);

/// Where `program` is found in PATH; empty if nowhere.
[[nodiscard]] std::filesystem::path find_program(const std::string& program);

}  // namespace hilmark
