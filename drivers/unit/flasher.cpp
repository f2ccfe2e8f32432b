#include "drivers/unit/flasher.h"

#include <algorithm>

namespace hilmark {

Result<void> Flasher::erase_all(const Progress& /*progress*/, const Deadline& /*deadline*/) {
  return fail(ErrorKind::usage, "this way of flashing has no mass erase; that is DfuSe's");
}

Result<void> compare_flash(const std::string& device, std::uint32_t address, ByteView written, ByteView read) {
  const auto [wanted, got] = std::mismatch(written.begin(), written.end(), read.begin(), read.end());
  if (wanted == written.end()) return {};
  if (got == read.end()) {
    return fail(ErrorKind::unit, "{}: the flash does not hold what was written: {} of {} bytes read back", device,
                read.size(), written.size());
  }
  return fail(ErrorKind::unit, "{}: the flash does not hold what was written: {:#04x} instead of {:#04x} at {:#010x}",
              device, *got, *wanted, address + static_cast<std::uint32_t>(wanted - written.begin()));
}

}  // namespace hilmark
