#include "drivers/console/line_assembler.h"

#include <utility>

namespace hilmark {

std::vector<AssembledLine> LineAssembler::feed(ByteView data) {
  std::vector<AssembledLine> lines;
  for (const std::uint8_t octet : data) {
    const bool ends_with_cr_before = octet == '\n' && after_cr_;
    after_cr_ = octet == '\r';
    if (ends_with_cr_before) continue;
    if (octet == '\r' || octet == '\n') {
      lines.push_back(finish());
      continue;
    }
    take(octet);
    if (prompt_.empty() || !unfinished_.text.ends_with(prompt_)) continue;
    AssembledLine line = finish();
    line.text.resize(line.text.size() - prompt_.size());
    if (!line.text.empty()) lines.push_back(std::move(line));
  }
  return lines;
}

void LineAssembler::take(std::uint8_t octet) {
  const AnsiFilter::Part part = filter_.take(octet);
  const auto character = static_cast<char>(octet);
  if (part == AnsiFilter::Part::text && unfinished_.text.size() < max_bytes_) unfinished_.text.push_back(character);
  if (part != AnsiFilter::Part::control_string && unfinished_.raw.size() < max_bytes_)
    unfinished_.raw.push_back(character);
}

AssembledLine LineAssembler::finish() {
  filter_.reset();
  return std::exchange(unfinished_, {});
}

}  // namespace hilmark
