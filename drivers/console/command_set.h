// What a console's verbs are called in one firmware's language: read from boards/commands/<name>.yaml.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "harness/base/clock.h"
#include "harness/base/error.h"

namespace hilmark {

/// Arguments by name: what replaces {name} in a template.
using CommandArguments = std::map<std::string, std::string>;

struct RenderedCommand {
  std::string line;         ///< with its line end; may hold secrets
  std::string typed;        ///< without it: what a firmware that echoes sends back first
  std::string shown;        ///< the template, for messages
  Milliseconds timeout{0};  ///< how long the answer may take
};

/// What a line is to a command that was sent before it.
struct CommandMatch {
  enum class Kind { none, answer, refusal } kind = Kind::none;
  std::string value;  ///< of an answer: its captured part, unescaped; of a refusal: its text
};

/// Immutable; copies share their content. Errors name file and line.
class CommandSet {
 public:
  [[nodiscard]] static Result<CommandSet> load(const std::filesystem::path& file);
  [[nodiscard]] static Result<CommandSet> parse(const std::string& text, const std::string& file);

  /// The same commands with another line end or prompt; what is empty stays as the file says.
  [[nodiscard]] CommandSet adapted(const std::string& line_end, const std::string& prompt) const;

  [[nodiscard]] bool has(const std::string& verb) const;
  /// Whether its escapes let a text of several lines be said in one.
  [[nodiscard]] bool covers_line_breaks() const;
  /// What the firmware says when it waits for a command; empty: nothing.
  [[nodiscard]] const std::string& prompt() const;
  /// Errors (usage): the set does not have the verb; (our own bug, told as rig) an argument is missing.
  [[nodiscard]] Result<RenderedCommand> render(const std::string& verb, const CommandArguments& arguments) const;
  [[nodiscard]] CommandMatch match(const std::string& verb, const std::string& line) const;
  /// Lines that come unasked and answer nothing.
  [[nodiscard]] bool is_unsolicited(const std::string& line) const;

  /// For messages and checks: all verbs that a set may have.
  [[nodiscard]] static std::string known_verbs();

 private:
  struct Impl;
  explicit CommandSet(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<const Impl> impl_;
};

}  // namespace hilmark
