#include "harness/base/error.h"

#include <system_error>

namespace hilmark {

std::string_view name_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::usage:
      return "usage";
    case ErrorKind::rig:
      return "rig";
    case ErrorKind::unit:
      return "unit";
    case ErrorKind::timeout:
      return "timeout";
    case ErrorKind::refused:
      return "refused";
    case ErrorKind::interrupted:
      return "interrupted";
  }
  return "unknown";
}

Error Error::with_context(std::string_view context) const { return {kind, fmt::format("{}: {}", context, message)}; }

std::string errno_text(int number) { return std::generic_category().message(number); }

}  // namespace hilmark
