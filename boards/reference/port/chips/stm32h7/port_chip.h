// The flash of an STM32H743 (RM0433 §4.3): 16 sectors of 128 KiB, of which 12 to 15 are the firmware's. Its flash word
// is 32 bytes with an ECC over it.
#ifndef BOARDS_REFERENCE_PORT_CHIPS_STM32H7_PORT_CHIP_H
#define BOARDS_REFERENCE_PORT_CHIPS_STM32H7_PORT_CHIP_H

enum {
  PORT_STORAGE_BASE = 12 * 128 * 1024,  // of the firmware's sectors, from the flash's beginning
  PORT_STORAGE_SECTORS = 4,
  PORT_STORAGE_SECTOR_BYTES = 128 * 1024,
  PORT_STORAGE_ERASE_BYTES = PORT_STORAGE_SECTOR_BYTES,
  PORT_STORAGE_WORD_BYTES = 32,
};

#endif
