// libFuzzer: whatever a board sends for descriptors or a status, reading it ends, and what was read keeps its promises.
#include <cstdint>

#include "drivers/dfu/dfu_protocol.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hilmark;
  const ByteView bytes(data, size);
  if (const auto functional = find_dfu_functional(bytes)) {
    if (functional->detach_timeout > Milliseconds{0xffff} || functional->detach_timeout.count() < 0) __builtin_trap();
  }
  if (const auto status = parse_dfu_status(bytes)) {
    if (size != 6 || status->poll_timeout > Milliseconds{0xffffff} || status->poll_timeout.count() < 0) {
      __builtin_trap();
    }
    if (name_of(status->state).empty() || dfu_status_name(status->status).empty()) __builtin_trap();
  }
  return 0;
}
