// Settings and identity in flash, whole or not at all.
//
// Two sectors are used in turn. Each save appends one record with everything in it: a header word (magic, generation,
// size, CRC-32 of the body, CRC-32 of the header), then the body. The newest record whose sums are right counts. When a
// sector is full the other one is erased and goes on; so the newest record is never in a sector that is being erased,
// and power may fail at any instant: what is read afterwards is the old or the new, never a mix.
#ifndef BOARDS_REFERENCE_APP_STORE_H
#define BOARDS_REFERENCE_APP_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "app/settings.h"
#include "port/port_storage.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { STORE_SECTORS = 2 };

struct store {
  struct port_storage* storage;
  unsigned sector;       // that of the newest record
  uint32_t next_offset;  // where the next record goes in it
  uint32_t generation;   // of the newest record; 0: there is none
  uint32_t body_offset;
  uint32_t body_bytes;
  uint8_t chunk[PORT_STORAGE_TRANSFER_BYTES];
};

// Finds the newest record and reads it; without one, the defaults. False if the flash cannot be read.
bool store_open(struct store* store, struct port_storage* storage, struct settings* settings);

// False if it could not be written; what was there before still counts.
bool store_save(struct store* store, const struct settings* settings);

// Back to the defaults, with nothing of the old left in flash.
bool store_wipe(struct store* store);

#ifdef __cplusplus
}
#endif
#endif
