// Between the port's texts and scalars and OpenSSL's objects. The caller frees what it gets.
#ifndef BOARDS_REFERENCE_PORT_OPENSSL_OPENSSL_KEYS_H
#define BOARDS_REFERENCE_PORT_OPENSSL_OPENSSL_KEYS_H

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stddef.h>
#include <stdint.h>

enum { OPENSSL_P256_POINT_BYTES = 65 };

// A key pair of this scalar and this uncompressed point, which nobody checks against each other.
EVP_PKEY* openssl_key_pair(const uint8_t* private_key, const uint8_t point[OPENSSL_P256_POINT_BYTES]);

// The uncompressed point of a P-256 key; 0 if it is of another kind.
int openssl_point_of(const EVP_PKEY* key, uint8_t point[OPENSSL_P256_POINT_BYTES]);

#endif
