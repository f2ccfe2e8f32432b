// The boot ROM's look at a firmware image (boards/wire.md, "Firmware image").
#pragma once

#include <string>
#include <string_view>

#include "boards/virtual/little_endian.h"
#include "boards/virtual/result.h"

namespace virtual_lab {

struct FirmwareImage {
  ByteView whole;  // header, code and trailer
  ByteView code;
  std::string build_id;
};

// The image at the beginning of `flash`, as views into it, or why a `chip` does not start it. At most `max_bytes` of
// the flash belong to an image.
[[nodiscard]] Result<FirmwareImage> find_image(ByteView flash, std::string_view chip, std::size_t max_bytes);

}  // namespace virtual_lab
