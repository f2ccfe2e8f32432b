#include "drivers/console/line_assembler.h"

namespace hilmark {

std::vector<std::string> LineAssembler::feed(ByteView data) {
  std::vector<std::string> lines;
  for (const std::uint8_t byte : data) {
    if (byte != '\n') {
      // One more than allowed is kept, so that a CR at the very end of a full line is known for what it is.
      if (unfinished_.size() <= max_bytes_) unfinished_.push_back(static_cast<char>(byte));
      continue;
    }
    if (!unfinished_.empty() && unfinished_.back() == '\r') unfinished_.pop_back();
    if (unfinished_.size() > max_bytes_) unfinished_.resize(max_bytes_);
    lines.push_back(std::move(unfinished_));
    unfinished_.clear();
  }
  return lines;
}

}  // namespace hilmark
