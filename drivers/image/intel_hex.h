// Intel HEX, which some tools take in the place of a raw image (Intel's Hexadecimal Object File Format, rev. A, 1988).
#pragma once

#include <cstdint>
#include <string>

#include "harness/base/bytes.h"

namespace hilmark {

/// `content` from `address` on, which must not reach beyond 4 GiB: records of 32 octets with extended linear addresses,
/// ended by LF.
[[nodiscard]] std::string intel_hex(std::uint32_t address, ByteView content);

}  // namespace hilmark
