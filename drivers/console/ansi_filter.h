// Tells text from terminal control sequences in a stream of octets (ECMA-48, sections 5.3 to 5.6).
#pragma once

#include <cstdint>

namespace hilmark {

/// Knows the seven-bit forms, which are what firmware sends; the eight-bit ones cannot be told from UTF-8. Line ends
/// are its owner's: a sequence does not go on behind one.
class AnsiFilter {
 public:
  enum class Part {
    text,
    sequence,        ///< of an escape or control sequence: colours, cursor movements
    control_string,  ///< what an OSC, DCS, SOS, PM or APC holds: window titles, for instance
  };
  [[nodiscard]] Part take(std::uint8_t octet);
  void reset() { state_ = State::text; }

 private:
  enum class State { text, escape, intermediate, control, string };
  [[nodiscard]] Part after_escape(std::uint8_t octet);

  State state_ = State::text;
};

}  // namespace hilmark
