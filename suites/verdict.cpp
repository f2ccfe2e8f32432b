#include "suites/verdict.h"

#include <fmt/ranges.h>

namespace hilmark::suites {

std::string_view name_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::pass:
      return "pass";
    case Verdict::fail:
      return "fail";
    case Verdict::warn:
      return "warn";
    case Verdict::inconclusive:
      return "inconclusive";
    case Verdict::skip:
      return "skip";
    case Verdict::error:
      return "error";
  }
  return "unknown";
}

Judgement judge(const Findings& findings, const std::string& opportunity) {
  const bool seen = findings.opportunity != nullptr;
  if (seen && !findings.failures.empty()) return {Verdict::fail, fmt::format("{}", fmt::join(findings.failures, "\n"))};
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
