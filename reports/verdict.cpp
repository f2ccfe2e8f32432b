#include "reports/verdict.h"

#include <numeric>

#include <fmt/format.h>

namespace hilmark::reports {

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

std::optional<Verdict> verdict_from(std::string_view name) {
  for (const Verdict verdict : all_verdicts) {
    if (name_of(verdict) == name) return verdict;
  }
  return std::nullopt;
}

bool is_judged(Verdict verdict) {
  return verdict == Verdict::pass || verdict == Verdict::fail || verdict == Verdict::warn;
}

void Counts::add(const Counts& other) {
  for (std::size_t index = 0; index < of.size(); ++index) of.at(index) += other.of.at(index);
}

std::uint64_t Counts::all() const { return std::accumulate(of.begin(), of.end(), std::uint64_t{0}); }

std::uint64_t Counts::judged() const {
  std::uint64_t sum = 0;
  for (const Verdict verdict : all_verdicts) sum += is_judged(verdict) ? (*this)[verdict] : 0;
  return sum;
}

std::string in_words(const Counts& counts) {
  return fmt::format("{} passed, {} failed, {} warnings, {} inconclusive, {} skipped, {} errors", counts[Verdict::pass],
                     counts[Verdict::fail], counts[Verdict::warn], counts[Verdict::inconclusive], counts[Verdict::skip],
                     counts[Verdict::error]);
}

}  // namespace hilmark::reports
