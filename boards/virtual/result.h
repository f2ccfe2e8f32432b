// What can go wrong here is told to a person, once: a sentence is all that an error carries.
#pragma once

#include <cerrno>
#include <cstring>
#include <string>

#include <tl/expected.hpp>

namespace virtual_lab {

template <class T>
using Result = tl::expected<T, std::string>;

[[nodiscard]] inline tl::unexpected<std::string> failure(std::string text) {
  return tl::unexpected<std::string>(std::move(text));
}

// `what`, then the meaning of errno.
[[nodiscard]] inline tl::unexpected<std::string> errno_failure(const std::string& what) {
  return failure(what + ": " + std::strerror(errno));
}

}  // namespace virtual_lab
