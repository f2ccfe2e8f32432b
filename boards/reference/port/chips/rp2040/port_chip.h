// The flash beside an RP2040: a W25Q16JV of 2 MiB, as on the Raspberry Pi Pico. It erases sectors of 4 KiB, 16 of which
// make one of ours: an identity has to fit into one. The last 8 are the firmware's. It programs what lies within a page
// of 256 bytes.
#ifndef BOARDS_REFERENCE_PORT_CHIPS_RP2040_PORT_CHIP_H
#define BOARDS_REFERENCE_PORT_CHIPS_RP2040_PORT_CHIP_H

enum {
  PORT_STORAGE_BASE = 3 * 512 * 1024,  // of the firmware's sectors, from the flash's beginning
  PORT_STORAGE_SECTORS = 8,
  PORT_STORAGE_SECTOR_BYTES = 64 * 1024,
  PORT_STORAGE_ERASE_BYTES = 4 * 1024,
  PORT_STORAGE_WORD_BYTES = 32,
};

#endif
