// What a tool file says: how a program of somebody else's writes, reads and starts what a board's flash holds.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <boost/describe/class.hpp>

#include "harness/base/error.h"

namespace hilmark {

/// One thing that a tool does. Patterns are Perl regular expressions, each held against one line of its output, without
/// terminal control sequences; an empty one is not asked for.
struct ToolCommand {
  /// The program (looked up in PATH) and its arguments, with placeholders in braces; empty: the tool cannot do this.
  std::vector<std::string> command;
  std::string script;                 ///< with placeholders; written to a file, which {script} names
  std::string success;                ///< some line must match
  std::string failure;                ///< a line that matches says that it failed, whatever the exit status
  std::string refusal;                ///< the same, where it was the board that said no
  std::string progress;               ///< one group: percent; two: how much of how much
  std::int64_t timeout_ms = 120'000;  ///< then it is ended, with all that it has started
};
BOOST_DESCRIBE_STRUCT(ToolCommand, (), (command, script, success, failure, refusal, progress, timeout_ms))

struct ToolConfig {
  std::string name;     ///< of its file: boards/tools/<name>.yaml
  std::string install;  ///< how it is come by, for who lacks it: "Debian package openocd"
  /// False: what it writes leaves the rest of the flash alone. True: the whole chip is empty first.
  bool erases_chip = false;
  std::map<std::string, std::string> wanted;     ///< what a board must tell it: a placeholder's name, and its meaning
  std::map<std::string, std::string> arguments;  ///< what this board tells it, by the same names
  ToolCommand write;                             ///< leaves the board where it was: in its bootloader, if it was there
  ToolCommand read;                              ///< of {size} bytes at {address}, to the file {output}; may be missing
  ToolCommand erase;  ///< goes before each writing, where that alone does not erase; may be missing
  ToolCommand start;  ///< the application anew: out of the bootloader, or by the probe's reset; may be missing where
                      ///< writing ends with it, behind a probe
};
BOOST_DESCRIBE_STRUCT(ToolConfig, (), (name, install, erases_chip, wanted, arguments, write, read, erase, start))

/// The names that the rig itself fills in: "image", "address" …
[[nodiscard]] const std::vector<std::string>& tool_placeholders();
/// The names that stand in braces. Braces around anything but letters, digits and _ are text like any other.
[[nodiscard]] std::vector<std::string> placeholders_in(std::string_view text);
/// Those that are neither the rig's nor wanted of a board.
[[nodiscard]] std::vector<std::string> unknown_placeholders(std::string_view text,
                                                            const std::map<std::string, std::string>& wanted);
/// Each placeholder that `values` knows becomes its value; what a value brings in is not looked at again.
[[nodiscard]] std::string filled(std::string_view text, const std::map<std::string, std::string>& values);

/// The longest time that a command may be given.
constexpr std::int64_t max_tool_timeout_ms = 3'600'000;

/// Errors (usage): no regular expression, said with what is wrong; of `progress` also another number of groups than 1
/// or 2.
[[nodiscard]] Result<void> check_pattern(const std::string& pattern);
[[nodiscard]] Result<void> check_progress_pattern(const std::string& pattern);

/// Holds the arguments against what the tool wants, and all that is said by template against what there is. Errors
/// (usage): an argument that is missing, with its meaning, or not wanted; nothing to write with; an unknown
/// placeholder; a bad pattern.
[[nodiscard]] Result<void> check(const ToolConfig& config);
/// Errors (usage): a program is not in PATH, with the way to get it.
[[nodiscard]] Result<void> check_programs(const ToolConfig& config);

/// The command as a shell would take it, for people.
[[nodiscard]] std::string command_text(const std::vector<std::string>& command);

}  // namespace hilmark
