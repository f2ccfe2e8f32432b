// A conversation with a firmware: one command, one answer; nothing is believed that was said before a nonce of ours.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>

#include "drivers/console/command_set.h"
#include "drivers/console/console_port.h"
#include "drivers/console/console_recorder.h"
#include "drivers/console/line_assembler.h"
#include "drivers/unit/unit.h"
#include "harness/base/evidence.h"

namespace hilmark {

/// Calls are made from one thread at a time. What the firmware says becomes evidence "console"/"console_line" once it
/// is known to come from the present boot, and "console"/"console_discarded" before, which nothing may be judged by.
/// A firmware may echo what it is sent: that line is evidence "console"/"console_echo", and never an answer, so that no
/// command of a set may be answered by itself.
class Console {
 public:
  Console(CommandSet commands, const Clock& clock, EvidenceLog& evidence)
      : commands_(std::move(commands)), clock_(clock), evidence_(evidence), recorder_(clock, evidence) {}
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;
  ~Console() { close(); }

  [[nodiscard]] Result<void> open(const ConsoleOpener& opener);
  void close();
  [[nodiscard]] bool is_open() const;
  /// What the unit itself did wrong (kind unit: it stalled, it sent too much) so that its console ended; until close().
  [[nodiscard]] std::optional<Error> fault() const;
  /// How many lines have come since it was opened, believed or not.
  [[nodiscard]] std::uint64_t lines_heard() const;

  [[nodiscard]] const CommandSet& commands() const { return commands_; }

  /// Sends nonces until the newest comes back; from then on the firmware is believed. All verbs do it first if need be.
  [[nodiscard]] Result<void> synchronise(const Deadline& deadline);
  /// Synchronises, asks for the build id and compares; the error (unit) says which build runs instead.
  [[nodiscard]] Result<void> prove(const std::string& build_id, const Deadline& deadline);

  /// Says a verb of the command set and returns the answer's value. Errors: unit (refused), timeout, rig (port lost).
  /// `deadline`: for a verb that has more, or less, time than its command file says, synchronising included.
  [[nodiscard]] Result<std::string> say(const std::string& verb, const CommandArguments& arguments = {},
                                        const std::optional<Deadline>& deadline = std::nullopt);
  /// The same for verbs after which the firmware may be gone before its answer has come, which then is no error.
  [[nodiscard]] Result<void> say_last(const std::string& verb);

  /// The longest line that is kept whole: ExpressLink's limit, with room for what a console adds.
  static constexpr std::size_t max_line_bytes = 20'000;
  /// After so long without an echo another nonce is sent; the first may have met half a line in the firmware's buffer.
  static constexpr Milliseconds nonce_interval{700};

 private:
  void on_data(ByteView data);
  void on_line(const AssembledLine& line);
  void record(const char* kind, const AssembledLine& line);  // with mutex_ held
  /// Whether a line is what was sent, and is so for the first time; with mutex_ held.
  [[nodiscard]] bool is_echo(const std::string& text);
  void on_closed(const Error& error);
  [[nodiscard]] Result<void> write(const RenderedCommand& command);
  [[nodiscard]] Result<std::string> await_answer(const std::string& verb, const RenderedCommand& command,
                                                 const Deadline& deadline);
  [[nodiscard]] Error closed_error() const;  // with mutex_ held

  CommandSet commands_;
  const Clock& clock_;
  const EvidenceLog& evidence_;
  ConsoleRecorder recorder_;
  std::unique_ptr<ConsolePort> port_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  LineAssembler assembler_{max_line_bytes};
  /// A line that may answer, and what of it may be told: a firmware that echoes a key in its refusal must not bring it
  /// into a report.
  struct Answer {
    std::string said;
    std::string to_tell;
  };
  std::deque<Answer> answers_;
  std::deque<std::string> typed_;  // sent, and not echoed until now
  std::optional<Error> closed_;
  std::string device_;
  std::string nonce_;      // awaited; empty when it has come back
  std::string last_line_;  // for messages
  std::uint64_t lines_ = 0;
  bool believed_ = false;  // what is said now comes from the present boot
  bool in_step_ = false;   // no late answer can be under way
};

}  // namespace hilmark
