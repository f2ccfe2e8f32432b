// Cuts a stream of octets into lines.
#pragma once

#include <string>
#include <vector>

#include "harness/base/bytes.h"

namespace hilmark {

/// Lines end with LF; a CR before it is no part of them. A line longer than `max_bytes` loses what is beyond.
class LineAssembler {
 public:
  explicit LineAssembler(std::size_t max_bytes) : max_bytes_(max_bytes) {}
  /// The lines that `data` completes.
  [[nodiscard]] std::vector<std::string> feed(ByteView data);

 private:
  std::size_t max_bytes_;
  std::string unfinished_;
};

}  // namespace hilmark
