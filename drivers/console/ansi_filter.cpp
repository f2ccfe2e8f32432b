#include "drivers/console/ansi_filter.h"

namespace hilmark {
namespace {

constexpr std::uint8_t bell = 0x07;  // ends an OSC for xterm and all who followed it
constexpr std::uint8_t cancel = 0x18;
constexpr std::uint8_t substitute = 0x1a;
constexpr std::uint8_t escape_octet = 0x1b;

bool within(std::uint8_t octet, int first, int last) { return octet >= first && octet <= last; }

}  // namespace

AnsiFilter::Part AnsiFilter::take(std::uint8_t octet) {
  if (octet == escape_octet) {
    state_ = State::escape;
    return Part::sequence;
  }
  if (state_ == State::text) return Part::text;
  if (octet == cancel || octet == substitute) {
    state_ = State::text;
    return Part::sequence;
  }
  switch (state_) {
    case State::escape:
      return after_escape(octet);
    case State::string:
      if (octet != bell) return Part::control_string;
      state_ = State::text;
      return Part::sequence;
    case State::intermediate:
    case State::control: {
      if (within(octet, 0x20, state_ == State::control ? 0x3f : 0x2f) || octet < 0x20) return Part::sequence;
      const bool is_final = within(octet, state_ == State::control ? 0x40 : 0x30, 0x7e);
      state_ = State::text;
      return is_final ? Part::sequence : Part::text;
    }
    case State::text:
      break;
  }
  return Part::text;
}

AnsiFilter::Part AnsiFilter::after_escape(std::uint8_t octet) {
  switch (octet) {
    case '[':
      state_ = State::control;
      return Part::sequence;
    case ']':
    case 'P':
    case 'X':
    case '^':
    case '_':
      state_ = State::string;
      return Part::sequence;
    default:
      state_ = within(octet, 0x20, 0x2f) ? State::intermediate : State::text;
      return within(octet, 0x20, 0x7e) ? Part::sequence : Part::text;
  }
}

}  // namespace hilmark
