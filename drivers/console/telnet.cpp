#include "drivers/console/telnet.h"

namespace hilmark {
namespace {

// RFC 854, "TELNET command structure".
constexpr std::uint8_t iac = 255;
constexpr std::uint8_t dont = 254;
constexpr std::uint8_t do_it = 253;
constexpr std::uint8_t wont = 252;
constexpr std::uint8_t will = 251;
constexpr std::uint8_t subnegotiation_begin = 250;
constexpr std::uint8_t subnegotiation_end = 240;

constexpr unsigned binary = 0;
constexpr unsigned suppress_go_ahead = 3;

bool is_taken_on(unsigned option) { return option == binary || option == suppress_go_ahead; }

}  // namespace

TelnetFilter::Step TelnetFilter::feed(ByteView received) {
  Step step;
  for (const std::uint8_t octet : received) take(octet, step);
  return step;
}

void TelnetFilter::take(std::uint8_t octet, Step& step) {
  switch (state_) {
    case State::data:
    case State::after_cr:
      return take_data(octet, step);
    case State::command:
      return take_command(octet, step);
    case State::option:
      state_ = State::data;
      return answer(octet, step);
    case State::subnegotiation:
      if (octet == iac) state_ = State::subnegotiation_command;
      return;
    case State::subnegotiation_command:
      state_ = octet == subnegotiation_end ? State::data : State::subnegotiation;
      return;
  }
}

void TelnetFilter::take_data(std::uint8_t octet, Step& step) {
  const bool after_cr = state_ == State::after_cr;
  const bool translated = (theirs_ & 1U << binary) == 0;
  state_ = octet == iac ? State::command : (octet == '\r' && translated ? State::after_cr : State::data);
  if (octet == iac || (after_cr && octet == 0)) return;
  step.data.push_back(octet);
}

void TelnetFilter::take_command(std::uint8_t octet, Step& step) {
  state_ = State::data;
  if (octet == iac) step.data.push_back(octet);
  if (octet == subnegotiation_begin) state_ = State::subnegotiation;
  if (octet < will || octet == iac) return;  // NOP, break, are you there …: nothing that a console must answer
  verb_ = octet;
  state_ = State::option;
}

void TelnetFilter::answer(std::uint8_t option, Step& step) {
  const bool about_them = verb_ == will || verb_ == wont;
  const bool on = verb_ == will || verb_ == do_it;
  const bool agreed = on && is_taken_on(option);
  unsigned& state = about_them ? theirs_ : ours_;
  const unsigned bit = is_taken_on(option) ? 1U << option : 0;
  // Only a change is answered, and a request that is refused, so that no two peers answer each other for ever.
  const bool is_on = (state & bit) != 0;
  if (on ? is_on : !is_on) return;
  state = agreed ? state | bit : state & ~bit;
  step.reply.push_back(iac);
  step.reply.push_back(about_them ? (agreed ? do_it : dont) : (agreed ? will : wont));
  step.reply.push_back(option);
}

Bytes TelnetFilter::escaped(ByteView data) const {
  Bytes result;
  const bool translated = (ours_ & 1U << binary) == 0;
  for (std::size_t at = 0; at < data.size(); ++at) {
    result.push_back(data[at]);
    if (data[at] == iac) result.push_back(iac);
    const bool before_lf = at + 1 < data.size() && data[at + 1] == '\n';
    if (translated && data[at] == '\r' && !before_lf) result.push_back(0);
  }
  return result;
}

}  // namespace hilmark
