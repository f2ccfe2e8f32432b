// libFuzzer: whatever a board gives for the name of a memory, reading it ends, and its sectors keep their promises.
#include <cstdint>
#include <string_view>

#include "drivers/dfu/dfuse_layout.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hilmark;
  const auto layout = parse_dfuse_layout(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!layout) {
    if (layout.error().kind != ErrorKind::usage) __builtin_trap();
    return 0;
  }
  if (layout->sectors.empty() || layout->sectors.size() > 65536) __builtin_trap();
  std::uint64_t end = 0;
  for (const DfuSeSector& sector : layout->sectors) {
    if (sector.size_bytes == 0 || sector.address < end) __builtin_trap();
    end = sector.address + std::uint64_t{sector.size_bytes};
    if (end > std::uint64_t{1} << 32) __builtin_trap();
  }
  const DfuSeSector& first = layout->sectors.front();
  const auto covered = layout->covering(first.address, first.size_bytes);
  if (!covered || covered->size() != 1) __builtin_trap();
  if (layout->covering(layout->sectors.back().address, std::size_t{1} << 33)) __builtin_trap();
  return 0;
}
