// What a tool says, line by line: how far it is, and whether it says that it did it. Does no I/O.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "drivers/console/line_assembler.h"
#include "drivers/tool/tool_config.h"

namespace hilmark {

/// Lines end with CR, LF or CR LF; one of more than `max_line_bytes` loses what is beyond.
class ToolOutput {
 public:
  static constexpr std::size_t max_line_bytes = 2000;
  /// A line, without control sequences, that does not merely tell progress. It is the tool's: what may be told of it
  /// comes back, and is printable.
  using OnLine = std::function<std::string(const std::string& line)>;
  using OnProgress = std::function<void(double fraction)>;  ///< 0 to 1

  /// The patterns of `command` must have been checked.
  ToolOutput(const ToolCommand& command, OnLine on_line, OnProgress on_progress);
  ~ToolOutput();

  void feed(ByteView data);
  /// The output is over; what stands without a line end is a line.
  void end();

  /// What the whole of it says, once it is over: nothing, or why it was no success. `ended`: "exit status 0".
  struct Verdict {
    bool is_refusal = false;  ///< it was the board that said no
    std::string why;          ///< "it said 'Error: …'", "it never said what matches '…'"; empty: success
  };
  [[nodiscard]] Verdict verdict(bool ended_well, const std::string& ended) const;
  /// For messages: "the last that it said was '…'".
  [[nodiscard]] std::string last_words() const;
  [[nodiscard]] std::size_t progress_lines() const { return progress_lines_; }

 private:
  void take(const std::string& line);
  [[nodiscard]] std::optional<double> progress_of(const std::string& line) const;

  struct Patterns;
  std::unique_ptr<const Patterns> patterns_;
  std::string success_text_;
  OnLine on_line_;
  OnProgress on_progress_;
  LineAssembler assembler_{max_line_bytes};
  bool succeeded_ = false;
  std::optional<std::string> failed_;  // the first line that says so
  std::optional<std::string> refused_;
  std::string last_line_;
  std::size_t progress_lines_ = 0;
};

}  // namespace hilmark
