// Certificates in a PEM text (RFC 7468), told apart but not looked into.
#ifndef BOARDS_REFERENCE_APP_PEM_H
#define BOARDS_REFERENCE_APP_PEM_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct pem_block {
  const char* text;  // from "-----BEGIN" to the end of the END line, its line end included if there is one
  size_t size_bytes;
};

enum pem_result { PEM_BLOCK, PEM_END, PEM_BROKEN };

// The next CERTIFICATE block at *at, which moves past it. Nothing but white space may stand between the blocks.
enum pem_result pem_next(const char** at, struct pem_block* block);

// True if the text is one or more certificates that all parse.
bool pem_is_certificates(const char* text);

#ifdef __cplusplus
}
#endif
#endif
