// The image that runs (boards/wire.md), as its own ROM copy says.
#ifndef BOARDS_REFERENCE_APP_IMAGE_H
#define BOARDS_REFERENCE_APP_IMAGE_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
  IMAGE_HEADER_BYTES = 96,
  IMAGE_TRAILER_BYTES = 64,
  IMAGE_CHIP_AT = 24,
  IMAGE_CHIP_BYTES = 24,
  IMAGE_BUILD_ID_AT = 48,
  IMAGE_BUILD_ID_BYTES = 40,
  IMAGE_HEADER_CRC_AT = 88,
  IMAGE_DEFECT_AT = 8,  // in the trailer
  IMAGE_DEFECT_BYTES = 48,
};

#define IMAGE_MAGIC "HMIMAGE1"
#define IMAGE_TRAILER_MAGIC "HMTRAIL1"

struct image {
  char build_id[IMAGE_BUILD_ID_BYTES + 1];
  char defect[IMAGE_DEFECT_BYTES + 1];
};

struct port_system;

// False if header or trailer cannot be read; the texts are then empty.
bool image_read(struct port_system* system, struct image* image);

#ifdef __cplusplus
}
#endif
#endif
