// The flash sectors that belong to the firmware, numbered from 0. Erased flash reads 0xFF; programming clears bits
// only, and is done once a flash word: many chips guard each word with an ECC that a second programming breaks.
//
// The chip's own port_chip.h, from the include path, says which sectors these are: PORT_STORAGE_SECTORS of
// PORT_STORAGE_SECTOR_BYTES, and PORT_STORAGE_WORD_BYTES, of which offsets and sizes of a program call are multiples.
// The chip erases PORT_STORAGE_ERASE_BYTES at once: a sector is one or more of these, and a power cut may leave some
// erased.
#ifndef BOARDS_REFERENCE_PORT_PORT_STORAGE_H
#define BOARDS_REFERENCE_PORT_PORT_STORAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "port_chip.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { PORT_STORAGE_TRANSFER_BYTES = 4096 };  // the most that one call moves

struct port_storage;

bool port_storage_read(struct port_storage* storage, unsigned sector, uint32_t offset, uint8_t* bytes,
                       size_t size_bytes);
bool port_storage_program(struct port_storage* storage, unsigned sector, uint32_t offset, const uint8_t* bytes,
                          size_t size_bytes);
bool port_storage_erase(struct port_storage* storage, unsigned sector);

#ifdef __cplusplus
}
#endif
#endif
