// What is known of CDC-ACM consoles to all that meet them: the classes, and the requests to the control interface.
// Sources: CDC 1.2, tables 2 and 6 (classes); PSTN 1.2, tables 3 (subclass), 13 (requests) and 17 (line coding).
#pragma once

#include <cstdint>

#include "harness/base/bytes.h"

namespace hilmark {

inline constexpr int cdc_class_communications = 0x02;
inline constexpr int cdc_class_data = 0x0a;
inline constexpr int cdc_subclass_abstract_control = 0x02;

/// bmRequestType of both requests; wIndex is the control interface.
inline constexpr std::uint8_t cdc_out_class_interface = 0x21;
inline constexpr std::uint8_t cdc_set_line_coding = 0x20;
inline constexpr std::uint8_t cdc_set_control_line_state = 0x22;

/// The seven bytes of SET_LINE_CODING: one stop bit, no parity, 8 data bits.
[[nodiscard]] inline Bytes cdc_line_coding_8n1(std::uint32_t baud) {
  Bytes coding;
  append_u32(coding, baud);
  coding.insert(coding.end(), {0, 0, 8});
  return coding;
}

}  // namespace hilmark
