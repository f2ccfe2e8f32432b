// Keys and certificates. A private key is the scalar of a P-256 key, big-endian; certificates are PEM.
#ifndef BOARDS_REFERENCE_PORT_PORT_CRYPTO_H
#define BOARDS_REFERENCE_PORT_PORT_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { PORT_PRIVATE_KEY_BYTES = 32 };

bool port_crypto_make_key(uint8_t private_key[PORT_PRIVATE_KEY_BYTES]);

enum port_request_form {
  PORT_REQUEST_SOUND,     // signed with ECDSA and SHA-256
  PORT_REQUEST_SHA1,      // the same with SHA-1
  PORT_REQUEST_WEAK_KEY,  // for a P-192 key made for it alone
};

// A PKCS #10 request (RFC 2986) with CN = common_name. Writes a PEM text and its NUL.
bool port_crypto_make_request(const uint8_t private_key[PORT_PRIVATE_KEY_BYTES], enum port_request_form form,
                              const char* common_name, char* pem, size_t size_bytes);

// A certificate for the key, issued by itself and valid for a year.
bool port_crypto_make_self_signed(const uint8_t private_key[PORT_PRIVATE_KEY_BYTES], const char* common_name, char* pem,
                                  size_t size_bytes);

// True if `pem` is exactly one certificate's text and every octet of it parses.
bool port_crypto_certificate_parses(const char* pem, size_t size_bytes);

// True if the certificate (one PEM block) is for this key.
bool port_crypto_certificate_has_key(const char* pem, size_t size_bytes,
                                     const uint8_t private_key[PORT_PRIVATE_KEY_BYTES]);

#ifdef __cplusplus
}
#endif
#endif
