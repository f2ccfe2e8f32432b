// Errors as values: what went wrong, for callers that branch (kind) and for people (message).
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <tl/expected.hpp>

namespace hilmark {

/// Who is at fault, as coarse as a caller may branch on.
enum class ErrorKind {
  usage,        ///< the user's input is wrong: a file, an option, a name; exit status 2
  rig,          ///< the rig or its bench failed: unplugged, port lost, broker died
  unit,         ///< the device answered, and said no or said nonsense
  timeout,      ///< nothing came by the deadline
  refused,      ///< the emulated cloud's rules forbid it (the message begins with the model's error code)
  interrupted,  ///< the user ended the run
};

/// The kind's name as it stands in events and reports.
[[nodiscard]] std::string_view name_of(ErrorKind kind);

/// All kinds, for those that walk them.
inline constexpr ErrorKind all_error_kinds[] = {ErrorKind::usage,   ErrorKind::rig,     ErrorKind::unit,
                                                ErrorKind::timeout, ErrorKind::refused, ErrorKind::interrupted};

struct Error {
  ErrorKind kind = ErrorKind::rig;
  std::string message;  ///< says what, where, which unit, and what to do next; no trailing full stop or newline

  /// The same error told from one floor further up: "<context>: <message>".
  [[nodiscard]] Error with_context(std::string_view context) const;
};

template <class T>
using Result = tl::expected<T, Error>;

/// `return fail(ErrorKind::rig, "port {}: {}", port, why);`
template <class... Args>
[[nodiscard]] tl::unexpected<Error> fail(ErrorKind kind, fmt::format_string<Args...> format, Args&&... args) {
  return tl::unexpected<Error>(Error{kind, fmt::format(format, std::forward<Args>(args)...)});
}

/// Passes an error on, with context: `if (!x) return fail(x.error(), "flashing {}", unit);`
template <class... Args>
[[nodiscard]] tl::unexpected<Error> fail(const Error& cause, fmt::format_string<Args...> format, Args&&... args) {
  return tl::unexpected<Error>(cause.with_context(fmt::format(format, std::forward<Args>(args)...)));
}
[[nodiscard]] inline tl::unexpected<Error> fail(Error cause) { return tl::unexpected<Error>(std::move(cause)); }

/// strerror of `number`, thread-safe.
[[nodiscard]] std::string errno_text(int number);

}  // namespace hilmark
