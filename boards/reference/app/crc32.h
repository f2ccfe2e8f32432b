// CRC-32 of IEEE 802.3 (reflected 0xEDB88320, initial and final inversion).
#ifndef BOARDS_REFERENCE_APP_CRC32_H
#define BOARDS_REFERENCE_APP_CRC32_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// Goes on from `crc`, which is 0 at the start.
uint32_t crc32_update(uint32_t crc, const void* bytes, size_t size_bytes);

#ifdef __cplusplus
}
#endif
#endif
