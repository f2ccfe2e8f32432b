// Cuts a stream of octets into lines.
#pragma once

#include <string>
#include <vector>

#include "drivers/console/ansi_filter.h"
#include "harness/base/bytes.h"

namespace hilmark {

struct AssembledLine {
  std::string text;  ///< what patterns are held against: without terminal control sequences, and without the prompt
  std::string raw;   ///< as it came, but for what control strings held
};

/// Lines end with CR, LF or CR LF, or with the prompt, after which a firmware says nothing until it is spoken to. A
/// prompt with nothing before it makes no line. A line of more than `max_bytes` loses what is beyond, in either form.
class LineAssembler {
 public:
  /// `prompt`: without control sequences and line ends, and found nowhere but where the firmware waits; empty: none.
  explicit LineAssembler(std::size_t max_bytes, std::string prompt = {})
      : max_bytes_(max_bytes), prompt_(std::move(prompt)) {}
  /// The lines that `data` completes.
  [[nodiscard]] std::vector<AssembledLine> feed(ByteView data);

 private:
  void take(std::uint8_t octet);
  [[nodiscard]] AssembledLine finish();

  std::size_t max_bytes_;
  std::string prompt_;
  AnsiFilter filter_;
  AssembledLine unfinished_;
  bool after_cr_ = false;
};

}  // namespace hilmark
