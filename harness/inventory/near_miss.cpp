#include "harness/inventory/near_miss.h"

#include <algorithm>
#include <cctype>
#include <numeric>

#include <fmt/ranges.h>

namespace hilmark {
namespace {

/// Levenshtein's distance, without case.
std::size_t distance(std::string_view left, std::string_view right) {
  const auto lower = [](char letter) { return std::tolower(static_cast<unsigned char>(letter)); };
  std::vector<std::size_t> row(right.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t down = 1; down <= left.size(); ++down) {
    std::size_t diagonal = row[0];
    row[0] = down;
    for (std::size_t across = 1; across <= right.size(); ++across) {
      const std::size_t above = row[across];
      const std::size_t change = diagonal + (lower(left[down - 1]) == lower(right[across - 1]) ? 0 : 1);
      row[across] = std::min({above + 1, row[across - 1] + 1, change});
      diagonal = above;
    }
  }
  return row.back();
}

}  // namespace

std::vector<std::string> near_misses(std::string_view word, const std::vector<std::string>& names) {
  static constexpr std::size_t max_names = 3;
  static constexpr std::size_t max_word = 64;
  if (word.size() > max_word) return {};
  std::vector<std::pair<std::size_t, std::string>> ranked;
  for (const std::string& name : names) {
    const std::size_t off = distance(word, name);
    if (off <= std::max<std::size_t>(1, std::min(word.size(), name.size()) / 3)) ranked.emplace_back(off, name);
  }
  std::sort(ranked.begin(), ranked.end());
  std::vector<std::string> nearest;
  for (const auto& [off, name] : ranked) {
    if (nearest.size() < max_names) nearest.push_back(name);
  }
  return nearest;
}

std::string suggestion(std::string_view word, const std::vector<std::string>& names) {
  static constexpr std::size_t max_listed = 24;
  if (const auto nearest = near_misses(word, names); !nearest.empty()) {
    return fmt::format("; did you mean {}?", fmt::join(nearest, " or "));
  }
  if (names.empty()) return "; there is none";
  const std::size_t listed = std::min(names.size(), max_listed);
  return fmt::format("; there is {}{}",
                     fmt::join(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(listed), ", "),
                     listed < names.size() ? ", …" : "");
}

}  // namespace hilmark
