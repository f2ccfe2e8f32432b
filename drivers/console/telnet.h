// The least of telnet that a console needs (RFC 854; binary transmission: RFC 856; suppress go-ahead: RFC 858).
#pragma once

#include <cstdint>

#include "harness/base/bytes.h"

namespace hilmark {

/// Takes commands out of what a terminal server sends, and answers its negotiation: binary and suppress go-ahead are
/// taken on, whatever else is refused, its echo among it. Asks for nothing itself. No I/O.
class TelnetFilter {
 public:
  struct Step {
    Bytes data;   ///< what the console said
    Bytes reply;  ///< to send back, as it is
  };
  [[nodiscard]] Step feed(ByteView received);
  /// What to send, so that `data` arrives: IAC doubled; a CR that is not before an LF is followed by NUL (RFC 854, "the
  /// NVT printer and keyboard"), unless it was agreed that we send binary.
  [[nodiscard]] Bytes escaped(ByteView data) const;

 private:
  enum class State { data, after_cr, command, option, subnegotiation, subnegotiation_command };
  void take(std::uint8_t octet, Step& step);
  void take_data(std::uint8_t octet, Step& step);
  void take_command(std::uint8_t octet, Step& step);
  void answer(std::uint8_t option, Step& step);

  State state_ = State::data;
  std::uint8_t verb_ = 0;  // WILL, WONT, DO or DONT, whose option comes next
  // Agreed on; bit 0: binary, bit 3: suppress go-ahead.
  unsigned ours_ = 0;
  unsigned theirs_ = 0;
};

}  // namespace hilmark
