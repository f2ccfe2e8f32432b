// libFuzzer: whatever stands in a line of a recording, it is a transfer that can be written again, or a fault.
#include <cstdint>
#include <string_view>

#include "drivers/usb/usb_recording.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto transfer = hilmark::parse_usb_transfer({reinterpret_cast<const char*>(data), size});
  if (!transfer) return 0;
  const std::string line = hilmark::to_line(*transfer);
  const auto again = hilmark::parse_usb_transfer(line);
  if (!again || hilmark::to_line(*again) != line) __builtin_trap();
  return 0;
}
