#include "harness/inventory/tool_file.h"

#include <algorithm>

#include <fmt/ranges.h>

#include "harness/base/bytes.h"
#include "harness/inventory/near_miss.h"
#include "harness/inventory/yaml_document.h"

namespace hilmark {
namespace {

using Wanted = std::map<std::string, std::string>;

void check_placeholders(YamlMapping& mapping, const std::string& key, const std::string& text, const Wanted& wanted) {
  std::vector<std::string> known = tool_placeholders();
  for (const auto& [name, meaning] : wanted) known.push_back(name);
  for (const std::string& name : unknown_placeholders(text, wanted)) {
    mapping.fault(key, fmt::format("expected placeholders that somebody fills in `{}`; got `{{{}}}`{}", key,
                                   printable(name), suggestion(name, known)));
  }
}

std::string pattern(YamlMapping& mapping, const std::string& key, Result<void> (*check)(const std::string&)) {
  std::string text = mapping.text(key);
  if (text.empty()) return text;
  if (const auto checked = check(text); !checked) {
    mapping.fault(key, fmt::format("expected a Perl regular expression for `{}`; got `{}`, {}", key, printable(text),
                                   checked.error().message));
  }
  return text;
}

ToolCommand read_command(YamlMapping& parent, const char* key, const Wanted& wanted) {
  ToolCommand command;
  const auto mapping = parent.mapping(key);
  if (!mapping) return command;
  mapping->require("command");
  command.command = mapping->texts("command");
  if (mapping->has("command") && command.command.empty()) {
    mapping->fault("command", "expected a program and its arguments for `command`; got none");
  }
  for (const std::string& word : command.command) check_placeholders(*mapping, "command", word, wanted);
  command.script = mapping->text("script");
  check_placeholders(*mapping, "script", command.script, wanted);
  command.success = pattern(*mapping, "success", check_pattern);
  command.failure = pattern(*mapping, "failure", check_pattern);
  command.refusal = pattern(*mapping, "refusal", check_pattern);
  command.progress = pattern(*mapping, "progress", check_progress_pattern);
  command.timeout_ms = mapping->integer("timeout_ms", 1, max_tool_timeout_ms).value_or(command.timeout_ms);
  return command;
}

/// What a command must name to be able to do its work: a template that does not name the image writes none.
void must_name(YamlMapping& root, const char* key, const ToolCommand& command, const std::vector<std::string>& any_of) {
  if (command.command.empty()) return;
  std::vector<std::string> named = placeholders_in(command.script);
  for (const std::string& word : command.command) {
    for (std::string& name : placeholders_in(word)) named.push_back(std::move(name));
  }
  const bool names_one = std::any_of(any_of.begin(), any_of.end(), [&](const std::string& wanted) {
    return std::find(named.begin(), named.end(), wanted) != named.end();
  });
  if (names_one) return;
  root.fault(key, fmt::format("expected {{{}}} in `{}`; got it nowhere", fmt::join(any_of, "} or {"), key));
}

}  // namespace

Result<ToolConfig> read_tool_file(const std::filesystem::path& path) {
  ToolConfig tool;
  const auto read = read_yaml(path, [&](YamlMapping& root) {
    root.check_version();
    root.require("install");
    tool.install = root.text("install");
    tool.wanted = root.text_map("arguments");
    const std::vector<std::string>& taken = tool_placeholders();
    for (const auto& [name, meaning] : tool.wanted) {
      if (std::find(taken.begin(), taken.end(), name) != taken.end() || placeholders_in("{" + name + "}").empty()) {
        root.fault("arguments", fmt::format("expected names of letters, digits and _ that the rig does not fill itself "
                                            "in `arguments`; got `{}`",
                                            printable(name)));
      }
    }
    const std::string erases = root.has("erases") ? root.text("erases") : "touched";
    if (erases != "touched" && erases != "chip") {
      root.fault("erases", fmt::format("expected touched or chip for `erases`; got `{}`", printable(erases)));
    }
    tool.erases_chip = erases == "chip";
    root.require("write");
    tool.write = read_command(root, "write", tool.wanted);
    tool.read = read_command(root, "read", tool.wanted);
    tool.erase = read_command(root, "erase", tool.wanted);
    tool.start = read_command(root, "start", tool.wanted);
    must_name(root, "write", tool.write, {"image", "hex"});
    must_name(root, "read", tool.read, {"output"});
    (void)root.text_map("sources");
  });
  if (!read) return fail(read.error());
  return tool;
}

Result<FlasherFacts> whole_flasher(const BoardFacts& board, const std::filesystem::path& board_path,
                                   const ChipFacts& chip, const std::filesystem::path& chip_path,
                                   const BoardFolders& folders,
                                   const std::map<std::string, std::string>& lab_arguments) {
  FlasherFacts flasher = board.flasher.value_or(chip.flasher);
  flasher.layout = chip.flasher.layout;
  const std::string where =
      fmt::format("{}:{}", board.flasher ? board_path.string() : chip_path.string(), flasher.line);
  if (flasher.protocol != "tool") {
    if (!board.states.probe.empty()) {
      return fail(ErrorKind::usage, "{}: expected `flasher: {{protocol: tool, …}}` for a board behind a probe; got {}",
                  where, flasher.protocol);
    }
    if (!lab_arguments.empty()) {
      return fail(ErrorKind::usage, "{}: {} takes no arguments of the lab file; drop the unit's `flasher`", where,
                  flasher.protocol);
    }
    return flasher;
  }
  const auto path = folders.tool(flasher.tool.name);
  if (!path) return fail(path.error(), "{}", where);
  auto tool = read_tool_file(*path);
  if (!tool) return fail(tool.error());
  tool->name = flasher.tool.name;
  tool->arguments = flasher.tool.arguments;
  for (const auto& [name, value] : lab_arguments) tool->arguments[name] = value;
  if (const auto checked = check(*tool); !checked) return fail(checked.error(), "{}", where);
  if (board.states.probe.empty() && tool->start.command.empty()) {
    return fail(ErrorKind::usage,
                "{}: tool {} has no `start`, so that nothing would lead out of the bootloader; add it to {}", where,
                tool->name, path->string());
  }
  const auto& promised = board.capabilities;
  if (tool->erases_chip && std::find(promised.begin(), promised.end(), "keeps-identity") != promised.end()) {
    return fail(ErrorKind::usage,
                "{}: tool {} erases the whole chip, and with it the identity; drop the capability keeps-identity of "
                "{}, or choose another tool",
                where, tool->name, board_path.string());
  }
  flasher.tool = std::move(*tool);
  return flasher;
}

}  // namespace hilmark
