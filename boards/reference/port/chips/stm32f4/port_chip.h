// The flash of an STM32F429 of 1 MiB (RM0090 §3.4): sectors of 4 × 16, 64 and 7 × 128 KiB, of which 10 and 11 are the
// firmware's. It programs single words of 4 bytes; 32 at once are as good.
#ifndef BOARDS_REFERENCE_PORT_CHIPS_STM32F4_PORT_CHIP_H
#define BOARDS_REFERENCE_PORT_CHIPS_STM32F4_PORT_CHIP_H

enum {
  PORT_STORAGE_BASE = 4 * 16 * 1024 + 64 * 1024 + 5 * 128 * 1024,  // of sector 10, from the flash's beginning
  PORT_STORAGE_SECTORS = 2,
  PORT_STORAGE_SECTOR_BYTES = 128 * 1024,
  PORT_STORAGE_ERASE_BYTES = PORT_STORAGE_SECTOR_BYTES,
  PORT_STORAGE_WORD_BYTES = 32,
};

#endif
