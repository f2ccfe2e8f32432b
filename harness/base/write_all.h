// Writing to a descriptor that blocks.
#pragma once

#include <string_view>

namespace hilmark {

/// Writes all of it, however often it is interrupted or only part is taken. False: errno says why, and some of it may
/// have been written.
[[nodiscard]] bool write_all(int fd, std::string_view text);

}  // namespace hilmark
