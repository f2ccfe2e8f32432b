// Between the port's scalars and mbedTLS' keys.
#ifndef BOARDS_REFERENCE_PORT_MBEDTLS_KEYS_H
#define BOARDS_REFERENCE_PORT_MBEDTLS_KEYS_H

#include <mbedtls/pk.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The library's source of randomness; `context` is not looked at.
int keys_random(void* context, unsigned char* bytes, size_t size_bytes);

// A P-256 key that can sign: its public half is not worked out. `key` was initialised; the caller frees it in any case.
bool keys_load(mbedtls_pk_context* key, const uint8_t* private_key);

#endif
