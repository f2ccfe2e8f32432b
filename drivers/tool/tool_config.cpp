#include "drivers/tool/tool_config.h"

#include <algorithm>

#include <boost/regex.hpp>
#include <fmt/ranges.h>

#include "harness/base/child_process.h"

namespace hilmark {
namespace {

bool is_name(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(),
                                      [](unsigned char letter) { return std::isalnum(letter) != 0 || letter == '_'; });
}

/// Calls `text(piece)` and `placeholder(name)` for what the text is made of, in order.
template <class OnText, class OnPlaceholder>
void take_apart(std::string_view whole, const OnText& text, const OnPlaceholder& placeholder) {
  for (std::size_t at = 0; at < whole.size();) {
    const std::size_t open = std::min(whole.find('{', at), whole.size());
    text(whole.substr(at, open - at));
    if (open == whole.size()) return;
    const std::size_t close = whole.find('}', open);
    const std::string_view name =
        close == std::string_view::npos ? std::string_view{} : whole.substr(open + 1, close - open - 1);
    if (is_name(name)) {
      placeholder(name);
      at = close + 1;
    } else {
      text(whole.substr(open, 1));
      at = open + 1;
    }
  }
}

/// What can be wrong with one command: its placeholders and its patterns.
Result<void> check_command(const ToolCommand& command, const std::map<std::string, std::string>& wanted) {
  std::vector<std::string> texts = command.command;
  texts.push_back(command.script);
  for (const std::string& text : texts) {
    const auto unknown = unknown_placeholders(text, wanted);
    if (!unknown.empty()) return fail(ErrorKind::usage, "nobody fills the placeholder {{{}}}", unknown.front());
  }
  for (const std::string* pattern : {&command.success, &command.failure, &command.refusal}) {
    if (auto checked = check_pattern(*pattern); !checked) return fail(checked.error(), "'{}'", *pattern);
  }
  if (command.progress.empty()) return {};
  if (auto checked = check_progress_pattern(command.progress); !checked) {
    return fail(checked.error(), "'{}'", command.progress);
  }
  return {};
}

std::vector<const ToolCommand*> commands_of(const ToolConfig& config) {
  std::vector<const ToolCommand*> commands;
  for (const ToolCommand* command : {&config.erase, &config.write, &config.read, &config.start}) {
    if (!command->command.empty()) commands.push_back(command);
  }
  return commands;
}

}  // namespace

const std::vector<std::string>& tool_placeholders() {
  static const std::vector<std::string> names{"image", "hex",    "script", "output", "address", "size",
                                              "port",  "serial", "number", "id",     "tty"};
  return names;
}

std::vector<std::string> placeholders_in(std::string_view text) {
  std::vector<std::string> names;
  take_apart(
      text, [](std::string_view) {}, [&](std::string_view name) { names.emplace_back(name); });
  return names;
}

std::vector<std::string> unknown_placeholders(std::string_view text, const std::map<std::string, std::string>& wanted) {
  const std::vector<std::string>& known = tool_placeholders();
  std::vector<std::string> names = placeholders_in(text);
  std::erase_if(names, [&](const std::string& name) {
    return wanted.count(name) > 0 || std::find(known.begin(), known.end(), name) != known.end();
  });
  return names;
}

std::string filled(std::string_view text, const std::map<std::string, std::string>& values) {
  std::string result;
  take_apart(
      text, [&](std::string_view piece) { result += piece; },
      [&](std::string_view name) {
        const auto value = values.find(std::string(name));
        result += value == values.end() ? fmt::format("{{{}}}", name) : value->second;
      });
  return result;
}

Result<void> check_pattern(const std::string& pattern) {
  try {
    (void)boost::regex(pattern, boost::regex::perl);
    return {};
  } catch (const boost::regex_error& error) {
    return fail(ErrorKind::usage, "no regular expression: {}", error.what());
  }
}

Result<void> check_progress_pattern(const std::string& pattern) {
  if (auto checked = check_pattern(pattern); !checked) return checked;
  const std::size_t groups = boost::regex(pattern, boost::regex::perl).mark_count();
  if (groups == 1 || groups == 2) return {};
  return fail(ErrorKind::usage, "{} groups; one tells percent, two tell how much of how much", groups);
}

Result<void> check(const ToolConfig& config) {
  if (config.write.command.empty()) return fail(ErrorKind::usage, "tool {} has no `write`", config.name);
  for (const ToolCommand* command : commands_of(config)) {
    if (auto checked = check_command(*command, config.wanted); !checked) {
      return fail(checked.error(), "tool {}", config.name);
    }
  }
  for (const auto& [name, meaning] : config.wanted) {
    if (config.arguments.count(name) > 0) continue;
    return fail(ErrorKind::usage, "tool {} wants the argument `{}`: {}", config.name, name, meaning);
  }
  for (const auto& [name, value] : config.arguments) {
    if (config.wanted.count(name) > 0) continue;
    std::vector<std::string> names;
    for (const auto& [wanted, meaning] : config.wanted) names.push_back(wanted);
    return fail(ErrorKind::usage, "tool {} takes no argument `{}`; it wants {}", config.name, name,
                names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", ")));
  }
  return {};
}

Result<void> check_programs(const ToolConfig& config) {
  for (const ToolCommand* command : commands_of(config)) {
    const std::string program = filled(command->command.front(), config.arguments);
    if (!find_program(program).empty()) continue;
    return fail(ErrorKind::usage, "there is no program {} in PATH, by which tool {} works; to get it: {}", program,
                config.name, config.install);
  }
  return {};
}

std::string command_text(const std::vector<std::string>& command) {
  std::string text;
  for (const std::string& word : command) {
    const bool plain = !word.empty() && word.find_first_of(" \t\n\"'\\$`;&|<>*?()") == std::string::npos;
    text += fmt::format("{}{}", text.empty() ? "" : " ", plain ? word : fmt::format("'{}'", word));
  }
  return text;
}

}  // namespace hilmark
