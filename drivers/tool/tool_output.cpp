#include "drivers/tool/tool_output.h"

#include <algorithm>
#include <charconv>

#include <boost/regex.hpp>

#include "harness/base/bytes.h"

namespace hilmark {
namespace {

// Not std::regex: libstdc++'s recurses once a character.
using Pattern = std::optional<boost::regex>;

Pattern compiled(const std::string& text) {
  if (text.empty()) return std::nullopt;
  return boost::regex(text, boost::regex::perl);
}

bool found(const Pattern& pattern, const std::string& line, boost::smatch* groups = nullptr) {
  boost::smatch ignored;
  try {
    return pattern && boost::regex_search(line, groups != nullptr ? *groups : ignored, *pattern);
  } catch (const std::runtime_error&) {
    return false;  // Too complex to match: it said nothing that a sane pattern expects.
  }
}

std::optional<double> number_of(const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

struct ToolOutput::Patterns {
  Pattern success, failure, refusal, progress;
};

ToolOutput::ToolOutput(const ToolCommand& command, OnLine on_line, OnProgress on_progress)
    : patterns_(std::make_unique<const Patterns>(Patterns{compiled(command.success), compiled(command.failure),
                                                          compiled(command.refusal), compiled(command.progress)})),
      success_text_(command.success),
      on_line_(std::move(on_line)),
      on_progress_(std::move(on_progress)) {}

ToolOutput::~ToolOutput() = default;

void ToolOutput::feed(ByteView data) {
  for (const AssembledLine& line : assembler_.feed(data)) take(line.text);
}

void ToolOutput::end() { feed(as_bytes("\n")); }

std::optional<double> ToolOutput::progress_of(const std::string& line) const {
  boost::smatch groups;
  if (!found(patterns_->progress, line, &groups)) return std::nullopt;
  const auto done = number_of(groups[1].str());
  const auto total = groups.size() > 2 ? number_of(groups[2].str()) : std::optional<double>(100);
  if (!done || !total || *total <= 0) return std::nullopt;
  return std::clamp(*done / *total, 0.0, 1.0);
}

void ToolOutput::take(const std::string& line) {
  if (line.empty()) return;
  succeeded_ = succeeded_ || found(patterns_->success, line);
  const bool fails = found(patterns_->failure, line);
  const bool refuses = found(patterns_->refusal, line);
  if (const auto fraction = progress_of(line); fraction && !fails && !refuses) {
    ++progress_lines_;
    on_progress_(*fraction);
    return;
  }
  last_line_ = on_line_(line);
  if (fails && !failed_) failed_ = last_line_;
  if (refuses && !refused_) refused_ = last_line_;
}

std::string ToolOutput::last_words() const {
  return last_line_.empty() ? "it said nothing" : fmt::format("the last that it said was '{}'", last_line_);
}

ToolOutput::Verdict ToolOutput::verdict(bool ended_well, const std::string& ended) const {
  if (refused_) return {true, fmt::format("it said '{}'", *refused_)};
  if (failed_) return {false, fmt::format("it said '{}', and ended with {}", *failed_, ended)};
  if (!ended_well) return {false, fmt::format("it ended with {}; {}", ended, last_words())};
  if (patterns_->success && !succeeded_) {
    return {false, fmt::format("it ended with {}, but said nothing that matches '{}'; {}", ended, success_text_,
                               last_words())};
  }
  return {};
}

}  // namespace hilmark
