// Firmware files: read, and checked as far as they can be before a board is touched.
#pragma once

#include <filesystem>
#include <optional>
#include <set>
#include <string>

#include "drivers/unit/unit.h"
#include "drivers/usb/usb_id.h"

namespace hilmark {

/// What a board takes: the chip file's `image` and the board file's ids.
struct ImageRules {
  std::string chip;  ///< "stm32h7"
  std::set<std::string> formats{"hilmark", "bin"};
  std::uint32_t base = 0;  ///< where an image belongs
  std::size_t max_bytes = 0;
  UsbId bootloader;  ///< a DFU suffix must name it, or any
  /// What a UF2 file must name; none: the chip takes no UF2 files.
  std::optional<std::uint32_t> uf2_family = std::nullopt;
};

/// Formats: "hilmark" (boards/wire.md: both sums, all sizes, the build id and the chip are checked) and "bin" (raw, for
/// `base`); either may end with a DFU 1.1 suffix (appendix B), whose sum and ids are checked and which is not written;
/// "uf2" (drivers/image/uf2.h), whose family and address are checked, and what it holds, if that is a hilmark image.
/// Errors: usage, one sentence: cannot be read, damaged, cut short, too large, for another chip or board.
[[nodiscard]] Result<FirmwareImage> load_firmware_image(const std::filesystem::path& path, const ImageRules& rules);
/// The same for a file's content.
[[nodiscard]] Result<FirmwareImage> check_firmware_image(const std::string& path, Bytes content,
                                                         const ImageRules& rules);

/// The chip that a "hilmark" image names, unchecked; empty for all other files, and for what cannot be read.
[[nodiscard]] std::string chip_named_by_image(const std::filesystem::path& path);

}  // namespace hilmark
