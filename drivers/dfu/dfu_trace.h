// Whether a host kept to DFU 1.1: no request in a state that forbids it (appendix A.2), no wait shorter than
// bwPollTimeout (section 6.1.2), blocks in order. Pure: what was said goes in, what was wrong comes out.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "drivers/dfu/dfu_protocol.h"

namespace hilmark {

/// One request and what came of it.
struct DfuExchange {
  enum class Outcome { answered, stalled, lost };  ///< lost: the link broke
  SteadyTime begun{};                              ///< the host sent it
  SteadyTime ended{};                              ///< its answer was there
  DfuRequest request{};
  std::uint16_t value = 0;
  std::size_t size_bytes = 0;  ///< wLength
  Outcome outcome = Outcome::answered;
  Bytes answer;  ///< of requests to the host
};
struct DfuBusWasReset {
  SteadyTime at{};
};
using DfuTraceStep = std::variant<DfuExchange, DfuBusWasReset>;

struct DfuTraceReport {
  std::vector<std::string> faults;  ///< "request 7, DFU_ABORT: not allowed in dfuDNBUSY"; numbered from 1
  Milliseconds demanded{0};         ///< the sum of the poll times that the host had to wait for
};

/// Begins in a state that is unknown until the board says it. DfuSe is taken as what it is: block numbers have a
/// meaning of their own there, and leaving is a download of nothing that may follow dfuIDLE.
[[nodiscard]] DfuTraceReport check_dfu_trace(const std::vector<DfuTraceStep>& steps, const DfuFunctional& functional);

}  // namespace hilmark
