#include "suites/verdict.h"

#include <regex>

#include <fmt/ranges.h>

namespace hilmark::suites {

std::string finding_of(std::string_view googletest_message) {
  static const std::regex form(R"(^Value of: [^\n]*\nExpected: ([\s\S]*?)\n  Actual: ([\s\S]*)$)");
  static const std::regex type(R"( \(of type [^()\n]*\))");
  static constexpr std::string_view bare = "Failed\n";
  if (googletest_message.starts_with(bare)) googletest_message.remove_prefix(bare.size());
  // EXPECT_TRUE and kin: what was true or false says nothing to a reader, the claim's own words do.
  static const std::regex boolean(
      R"(^Value of: [^\n]*\n  Actual: (?:true|false)[^\n]*\nExpected: (?:true|false)\n([\s\S]+)$)");
  const std::string message(googletest_message);
  std::smatch parts;
  if (std::regex_match(message, parts, boolean)) return parts[1].str();
  if (!std::regex_match(message, parts, form)) return message;
  return fmt::format("found: {}\nexpected: {}", std::regex_replace(parts[2].str(), type, ""), parts[1].str());
}

Judgement judge(const Findings& findings, const std::string& opportunity, Level level) {
  const bool seen = findings.opportunity != nullptr;
  if (findings.unsound) {
    std::string message = *findings.unsound;
    if (!findings.failures.empty()) {
      message += fmt::format("; so this is not held against the unit: {}", fmt::join(findings.failures, "; "));
    }
    return {Verdict::error, message};
  }
  if (seen && !findings.failures.empty()) {
    return {level == Level::must ? Verdict::fail : Verdict::warn,
            fmt::format("{}", fmt::join(findings.failures, "\n"))};
  }
  if (findings.rig_trouble) return {Verdict::error, *findings.rig_trouble};
  if (findings.not_applicable) return {Verdict::skip, *findings.not_applicable};
  if (findings.inconclusive) return {Verdict::inconclusive, *findings.inconclusive};
  if (!seen) {
    std::string message = fmt::format("no opportunity to judge: {} was not seen", opportunity);
    if (!findings.failures.empty()) message += fmt::format(" ({})", fmt::join(findings.failures, "; "));
    return {Verdict::inconclusive, message};
  }
  if (!findings.warnings.empty()) return {Verdict::warn, fmt::format("{}", fmt::join(findings.warnings, "\n"))};
  return {Verdict::pass, ""};
}

}  // namespace hilmark::suites
