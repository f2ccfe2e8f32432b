// Entropy fit for keys.
#ifndef BOARDS_REFERENCE_PORT_PORT_RANDOM_H
#define BOARDS_REFERENCE_PORT_PORT_RANDOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// Fills all `size_bytes`, or answers false and the bytes must not be used.
bool port_random_fill(uint8_t* bytes, size_t size_bytes);

#ifdef __cplusplus
}
#endif
#endif
