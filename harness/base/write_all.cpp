#include "harness/base/write_all.h"

#include <cerrno>

#include <unistd.h>

namespace hilmark {

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::write(fd, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count == 0) errno = EIO;  // It takes nothing and says nothing: else this would not end.
    if (count <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

}  // namespace hilmark
