#include "app/crc32.h"

uint32_t crc32_update(uint32_t crc, const void* bytes, size_t size_bytes) {
  const uint8_t* at = bytes;
  crc = ~crc;
  for (size_t i = 0; i < size_bytes; i++) {
    crc ^= at[i];
    for (int bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ (0xEDB88320U & (0U - (crc & 1U)));
  }
  return ~crc;
}
