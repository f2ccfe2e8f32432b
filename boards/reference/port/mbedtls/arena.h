// All the memory that mbedTLS ever gets: one static block, so that the RAM of TLS is known when the firmware is linked.
// The linker puts these in the place of calloc() and free() (--wrap). Not safe among threads: one of them speaks TLS.
#ifndef BOARDS_REFERENCE_PORT_MBEDTLS_ARENA_H
#define BOARDS_REFERENCE_PORT_MBEDTLS_ARENA_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { ARENA_BYTES = 72 * 1024 };

// Zeroed octets, aligned for anything; NULL if there is no room.
void* arena_calloc(size_t count, size_t size_bytes);
void arena_free(void* octets);

// What is taken now, and the smallest arena in which all that happened so far would have fitted.
size_t arena_used_bytes(void);
size_t arena_peak_bytes(void);

#ifdef __cplusplus
}
#endif
#endif
