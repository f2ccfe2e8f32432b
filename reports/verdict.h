// How a case ended, as reports see it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hilmark::reports {

enum class Verdict { pass, fail, warn, inconclusive, skip, error };
inline constexpr std::array<Verdict, 6> all_verdicts{Verdict::pass,         Verdict::fail, Verdict::warn,
                                                     Verdict::inconclusive, Verdict::skip, Verdict::error};
[[nodiscard]] std::string_view name_of(Verdict verdict);
[[nodiscard]] std::optional<Verdict> verdict_from(std::string_view name);

/// Whether the device was judged: pass, fail or warn.
[[nodiscard]] bool is_judged(Verdict verdict);

struct Counts {
  std::array<std::uint64_t, all_verdicts.size()> of{};
  void add(Verdict verdict) { ++of.at(static_cast<std::size_t>(verdict)); }
  void add(const Counts& other);
  [[nodiscard]] std::uint64_t operator[](Verdict verdict) const { return of.at(static_cast<std::size_t>(verdict)); }
  [[nodiscard]] std::uint64_t all() const;
  [[nodiscard]] std::uint64_t judged() const;
};

/// "19 passed, 0 failed, 0 warnings, 0 inconclusive, 0 skipped, 0 errors"
[[nodiscard]] std::string in_words(const Counts& counts);

}  // namespace hilmark::reports
