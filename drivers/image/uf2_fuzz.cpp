// libFuzzer: whatever is handed over as a UF2 file, reading it ends, and what is accepted holds together.
#include <cstdint>

#include "drivers/image/uf2.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  for (const std::uint32_t family : {hilmark::uf2_family_rp2040, hilmark::uf2_family_rp2350_arm_s}) {
    const auto image = hilmark::read_uf2_for("file", {data, size}, family);
    if (!image) continue;
    // Each block of 512 gives at most its payload, and the gap before it.
    const std::size_t most = size / 512 * (476 + hilmark::uf2_max_gap_bytes);
    if (image->content.empty() || image->content.size() > most) __builtin_trap();
    if (image->address + std::uint64_t{image->content.size()} > std::uint64_t{1} << 32) __builtin_trap();
  }
  return 0;
}
