#include "app/image.h"

#include <stdint.h>
#include <string.h>

#include "app/bytes.h"
#include "port/port_system.h"

bool image_read(struct port_system* system, struct image* image) {
  memset(image, 0, sizeof *image);
  uint8_t header[IMAGE_HEADER_BYTES];
  uint8_t trailer[IMAGE_TRAILER_BYTES];
  if (!port_system_read_rom(system, 0, header, sizeof header) || memcmp(header, IMAGE_MAGIC, 8) != 0) return false;
  const uint32_t trailer_at = get_u32(header + 8) + get_u32(header + 12);
  if (!port_system_read_rom(system, trailer_at, trailer, sizeof trailer)) return false;
  if (memcmp(trailer, IMAGE_TRAILER_MAGIC, 8) != 0) return false;
  memcpy(image->build_id, header + IMAGE_BUILD_ID_AT, IMAGE_BUILD_ID_BYTES);
  memcpy(image->defect, trailer + IMAGE_DEFECT_AT, IMAGE_DEFECT_BYTES);
  return true;
}
