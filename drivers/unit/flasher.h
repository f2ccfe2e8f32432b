// The seam that every way to write a board's flash meets: DfuSe, DFU 1.1, PICOBOOT, a tool of the vendor's.
#pragma once

#include <cstdint>
#include <string>

#include "drivers/unit/unit.h"

namespace hilmark {

/// What a board's bootloader (or its debug probe) lets us do with its flash, for as long as it is there. Synchronous;
/// not thread-safe. Messages name the device.
class Flasher {
 public:
  virtual ~Flasher() = default;

  /// Erases what the content touches and no more, writes it, reads it back, and compares octet for octet. Errors:
  /// usage (does not fit; for another chip), unit (refused, or does not read back), rig (link), timeout (deadline).
  [[nodiscard]] virtual Result<FlashReport> write(std::uint32_t address, ByteView content, const Progress& progress,
                                                  const Deadline& deadline) = 0;
  /// Errors: as those of write(); usage where this way of flashing cannot read.
  [[nodiscard]] virtual Result<Bytes> read(std::uint32_t address, std::size_t size_bytes, const Progress& progress,
                                           const Deadline& deadline) = 0;
  /// Leaves the bootloader for the application at `address`; a USB bootloader then leaves the bus.
  [[nodiscard]] virtual Result<void> start(std::uint32_t address, const Deadline& deadline) = 0;
  /// All of the flash that the bootloader erases at once: application, identity and settings. Errors: as those of
  /// write(); usage where this way of flashing has no such thing.
  [[nodiscard]] virtual Result<void> erase_all(const Progress& progress, const Deadline& deadline);
  /// False: this bootloader lets its flash not be read, at no time.
  [[nodiscard]] virtual bool can_read() const { return true; }
};

/// Compares what was read back with what was written to `address` on; the error (unit) begins with `device`, and names
/// the first octet that differs, or how many there are.
[[nodiscard]] Result<void> compare_flash(const std::string& device, std::uint32_t address, ByteView written,
                                         ByteView read);

}  // namespace hilmark
