// "did you mean …?"
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace hilmark {

/// The names that `word` may have been meant to be, nearest first; at most three, none that is far off.
[[nodiscard]] std::vector<std::string> near_misses(std::string_view word, const std::vector<std::string>& names);

/// "; did you mean a or b?", or else "; there is a, b, c" (shortened).
[[nodiscard]] std::string suggestion(std::string_view word, const std::vector<std::string>& names);

}  // namespace hilmark
