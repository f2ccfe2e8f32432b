#include "drivers/console/command_set.h"

#include <algorithm>
#include <set>

#include <boost/regex.hpp>
#include <yaml-cpp/yaml.h>

#include "drivers/console/console_config.h"
#include "harness/base/bytes.h"

namespace hilmark {
namespace {

constexpr std::size_t max_file_bytes = 1U << 20;
constexpr int max_timeout_ms = 600'000;

/// Each verb with the placeholders that its template must hold, and may hold no others than.
const std::map<std::string, std::vector<std::string>>& verbs() {
  static const std::map<std::string, std::vector<std::string>> table{
      {"ping", {}},
      {"echo", {"text"}},
      {"build_id", {}},
      {"keygen", {}},
      {"csr", {}},
      {"client_id", {"value"}},
      {"trust_anchor", {"value"}},
      {"certificate", {"value"}},
      {"private_key", {"value"}},
      {"endpoint", {"value"}},
      {"connect_address", {"value"}},
      {"resolver", {"value"}},
      {"port", {"value"}},
      {"topic", {"value"}},
      {"setting", {"key", "value"}},
      {"connect", {}},
      {"disconnect", {}},
      {"reset", {}},
      {"bootloader", {}},
  };
  return table;
}

// Not std::regex: libstdc++'s recurses once a character, and a console line may be long enough to end the stack.
using Pattern = boost::regex;

struct Command {
  std::string send;
  Pattern expect;
  Pattern refusal;
  bool has_refusal = false;
  Milliseconds timeout{0};
};

/// Thrown inside of this file only: the place in the file and what is wrong there.
struct SchemaError {
  int line = 0;
  std::string what;
};

int line_of(const YAML::Node& node) { return std::max(node.Mark().line, 0) + 1; }  // An empty file has no marks.

[[noreturn]] void reject(const YAML::Node& node, std::string what) {
  throw SchemaError{line_of(node), std::move(what)};
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

/// The members of a map, each of which must be allowed and stand there once.
std::map<std::string, YAML::Node> members(const YAML::Node& node, const std::string& what,
                                          const std::vector<std::string>& allowed) {
  if (!node.IsMap()) reject(node, what + " must be a map of " + joined(allowed));
  std::map<std::string, YAML::Node> result;
  for (const auto& member : node) {
    if (!member.first.IsScalar()) reject(member.first, "a key of " + what + " must be text");
    const std::string key = member.first.Scalar();
    if (!allowed.empty() && std::find(allowed.begin(), allowed.end(), key) == allowed.end()) {
      reject(member.first, fmt::format("unknown key '{}' in {}; expected {}", key, what, joined(allowed)));
    }
    if (!result.emplace(key, member.second).second)
      reject(member.first, fmt::format("key '{}' stands twice in {}", key, what));
  }
  return result;
}

std::string scalar(const YAML::Node& node, const std::string& what) {
  if (!node.IsScalar()) reject(node, what + " must be text");
  return node.Scalar();
}

Pattern pattern(const YAML::Node& node, const std::string& what) {
  try {
    return Pattern(scalar(node, what), boost::regex::perl);
  } catch (const boost::regex_error& error) {
    reject(node, fmt::format("{} is no regular expression: {}", what, error.what()));
  }
}

Milliseconds timeout_of(const YAML::Node& node) {
  int value = 0;
  if (!YAML::convert<int>::decode(node, value) || value < 1 || value > max_timeout_ms) {
    reject(node, fmt::format("timeout_ms must be a number from 1 to {}", max_timeout_ms));
  }
  return Milliseconds(value);
}

std::string prompt_of(const YAML::Node& node) {
  std::string prompt = scalar(node, "prompt");
  if (const auto checked = check_prompt(prompt); !checked) reject(node, checked.error().message);
  return prompt;
}

/// The names in braces. A brace that closes nothing, or is not closed, is rejected.
std::vector<std::string> placeholders(const YAML::Node& node, const std::string& text) {
  std::vector<std::string> names;
  for (std::size_t at = 0; (at = text.find_first_of("{}", at)) != std::string::npos;) {
    const std::size_t end = text.find('}', at);
    if (text[at] == '}' || end == std::string::npos) reject(node, "a brace in send is not paired");
    names.push_back(text.substr(at + 1, end - at - 1));
    at = end + 1;
  }
  return names;
}

bool matches(const Pattern& expression, const std::string& line, std::string* value) {
  boost::smatch groups;
  try {
    if (!boost::regex_search(line, groups, expression)) return false;
  } catch (const std::runtime_error&) {
    return false;  // Too complex to match: the board said nothing that a sane pattern expects.
  }
  if (value == nullptr) return true;
  if (groups["value"].matched)
    *value = groups["value"].str();
  else if (groups.size() > 1)
    *value = groups[1].str();
  else
    value->clear();
  return true;
}

}  // namespace

struct CommandSet::Impl {
  std::string file;
  std::string line_end = "\n";
  std::string prompt;
  Pattern unsolicited;
  bool has_unsolicited = false;
  std::vector<std::pair<std::string, std::string>> escapes;  // plain, escaped
  std::map<std::string, Command> commands;

  [[nodiscard]] std::string escaped(std::string_view plain) const {
    return replaced(plain, &std::pair<std::string, std::string>::first, &std::pair<std::string, std::string>::second);
  }
  [[nodiscard]] std::string unescaped(std::string_view text) const {
    return replaced(text, &std::pair<std::string, std::string>::second, &std::pair<std::string, std::string>::first);
  }

  using Side = std::string std::pair<std::string, std::string>::*;
  [[nodiscard]] std::string replaced(std::string_view text, Side from, Side to) const {
    std::string result;
    while (!text.empty()) {
      const auto found = std::find_if(escapes.begin(), escapes.end(),
                                      [&](const auto& escape) { return text.starts_with(escape.*from); });
      result += found != escapes.end() ? (*found).*to : std::string(1, text.front());
      text.remove_prefix(found != escapes.end() ? ((*found).*from).size() : 1);
    }
    return result;
  }
};

namespace {

struct Defaults {
  Pattern refusal;
  bool has_refusal = false;
  Milliseconds timeout{3000};
};

Command read_command(const std::string& verb, const YAML::Node& node, const Defaults& defaults) {
  const auto fields = members(node, verb, {"send", "expect", "refusal", "timeout_ms"});
  Command command;
  command.refusal = defaults.refusal;
  command.has_refusal = defaults.has_refusal;
  command.timeout = defaults.timeout;
  for (const char* needed : {"send", "expect"}) {
    if (fields.count(needed) == 0) reject(node, fmt::format("{} has no '{}'", verb, needed));
  }
  command.send = scalar(fields.at("send"), "send");
  command.expect = pattern(fields.at("expect"), "expect");
  if (const auto own = fields.find("refusal"); own != fields.end()) {
    command.refusal = pattern(own->second, "refusal");
    command.has_refusal = true;
  }
  if (const auto own = fields.find("timeout_ms"); own != fields.end()) command.timeout = timeout_of(own->second);
  const auto& wanted = verbs().at(verb);
  const auto found = placeholders(fields.at("send"), command.send);
  for (const std::string& name : found) {
    if (std::find(wanted.begin(), wanted.end(), name) == wanted.end()) {
      reject(fields.at("send"),
             fmt::format("{} has no argument {{{}}}; it has {}", verb, name, wanted.empty() ? "none" : joined(wanted)));
    }
  }
  for (const std::string& name : wanted) {
    if (std::find(found.begin(), found.end(), name) == found.end()) {
      reject(fields.at("send"), fmt::format("send of {} must hold {{{}}}", verb, name));
    }
  }
  return command;
}

}  // namespace

Result<CommandSet> CommandSet::parse(const std::string& text, const std::string& file) {
  auto impl = std::make_shared<Impl>();
  impl->file = file;
  try {
    const YAML::Node root = YAML::Load(text);
    const auto fields =
        members(root, "a command set",
                {"version", "line_end", "prompt", "unsolicited", "refusal", "timeout_ms", "escapes", "commands"});
    for (const char* needed : {"version", "commands"}) {
      if (fields.count(needed) == 0) reject(root, fmt::format("a command set needs '{}'", needed));
    }
    if (scalar(fields.at("version"), "version") != "1") reject(fields.at("version"), "version must be 1");
    Defaults defaults;
    for (const auto& [key, node] : fields) {
      if (key == "line_end") impl->line_end = scalar(node, key);
      if (key == "prompt") impl->prompt = prompt_of(node);
      if (key == "timeout_ms") defaults.timeout = timeout_of(node);
      if (key == "unsolicited") impl->unsolicited = pattern(node, key);
      if (key == "unsolicited") impl->has_unsolicited = true;
      if (key == "refusal") defaults.refusal = pattern(node, key);
      if (key == "refusal") defaults.has_refusal = true;
      if (key != "escapes") continue;
      for (const auto& [plain, escaped] : members(node, key, {})) {
        if (plain.empty() || scalar(escaped, key).empty()) reject(escaped, "an escape must not be empty");
        impl->escapes.emplace_back(plain, scalar(escaped, key));
      }
    }
    std::vector<std::string> names;
    for (const auto& [verb, arguments] : verbs()) names.push_back(verb);
    for (const auto& [verb, node] : members(fields.at("commands"), "commands", names)) {
      impl->commands.emplace(verb, read_command(verb, node, defaults));
    }
    if (impl->commands.count("echo") == 0)
      reject(fields.at("commands"), "commands need 'echo', on which every proof rests");
  } catch (const SchemaError& error) {
    return fail(ErrorKind::usage, "{}:{}: {}", file, error.line, error.what);
  } catch (const YAML::Exception& error) {
    return fail(ErrorKind::usage, "{}:{}: {}", file, error.mark.line + 1, error.msg);
  }
  return CommandSet(std::move(impl));
}

Result<CommandSet> CommandSet::load(const std::filesystem::path& file) {
  const auto content = read_file(file, max_file_bytes);
  if (!content) return fail(content.error());
  return parse(as_text(*content), file.string());
}

CommandSet CommandSet::adapted(const std::string& line_end, const std::string& prompt) const {
  auto impl = std::make_shared<Impl>(*impl_);
  if (!line_end.empty()) impl->line_end = line_end;
  if (!prompt.empty()) impl->prompt = prompt;
  return CommandSet(std::move(impl));
}

const std::string& CommandSet::prompt() const { return impl_->prompt; }

bool CommandSet::has(const std::string& verb) const { return impl_->commands.count(verb) > 0; }

bool CommandSet::covers_line_breaks() const {
  return std::any_of(impl_->escapes.begin(), impl_->escapes.end(),
                     [](const auto& escape) { return escape.first == "\n"; });
}

Result<RenderedCommand> CommandSet::render(const std::string& verb, const CommandArguments& arguments) const {
  const auto found = impl_->commands.find(verb);
  if (found == impl_->commands.end()) return fail(ErrorKind::usage, "{} has no command '{}'", impl_->file, verb);
  const Command& command = found->second;
  RenderedCommand rendered{{}, {}, command.send, command.timeout};
  for (std::size_t at = 0; at < command.send.size();) {
    if (command.send[at] != '{') {
      rendered.line.push_back(command.send[at++]);
      continue;
    }
    const std::size_t end = command.send.find('}', at);
    const std::string name = command.send.substr(at + 1, end - at - 1);
    const auto argument = arguments.find(name);
    if (argument == arguments.end()) return fail(ErrorKind::rig, "command '{}' was not given its {{{}}}", verb, name);
    rendered.line += impl_->escaped(argument->second);
    at = end + 1;
  }
  if (rendered.line.find_first_of("\r\n") != std::string::npos) {
    return fail(ErrorKind::usage, "{}: an argument of '{}' holds a line break, which the set's escapes do not cover",
                impl_->file, verb);
  }
  rendered.typed = rendered.line;
  rendered.line += impl_->line_end;
  return rendered;
}

CommandMatch CommandSet::match(const std::string& verb, const std::string& line) const {
  const auto found = impl_->commands.find(verb);
  if (found == impl_->commands.end()) return {};
  std::string value;
  if (matches(found->second.expect, line, &value)) return {CommandMatch::Kind::answer, impl_->unescaped(value)};
  if (found->second.has_refusal && matches(found->second.refusal, line, nullptr))
    return {CommandMatch::Kind::refusal, line};
  return {};
}

bool CommandSet::is_unsolicited(const std::string& line) const {
  return impl_->has_unsolicited && matches(impl_->unsolicited, line, nullptr);
}

std::string CommandSet::known_verbs() {
  std::vector<std::string> names;
  for (const auto& [verb, arguments] : verbs()) names.push_back(verb);
  return joined(names);
}

}  // namespace hilmark
