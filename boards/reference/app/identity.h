// The unit's identity: a key that it made itself, and the certificate that it was given for it.
#ifndef BOARDS_REFERENCE_APP_IDENTITY_H
#define BOARDS_REFERENCE_APP_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>

#include "app/settings.h"

#ifdef __cplusplus
extern "C" {
#endif

enum identity_result {
  IDENTITY_OK,
  IDENTITY_TOO_LONG,
  IDENTITY_UNREADABLE,  // not one or more whole PEM certificates
  IDENTITY_NO_KEY,      // no key was ever made
  IDENTITY_OTHER_KEY,   // the first certificate is for neither the pending nor the present key
};

// All of these change `settings` only when they succeed; storing it is the caller's.

// Makes a key that is pending until a certificate for it is installed.
bool identity_make_pending_key(struct settings* settings);

// The request for the pending key, which must be there.
bool identity_make_request(const struct settings* settings, enum port_request_form form, char* pem, size_t size_bytes);

// Takes the certificate, and what follows it; commits the pending key if that is the one that it is for.
enum identity_result identity_install(struct settings* settings, const char* pem);

// Takes any text that fits, as no firmware should.
bool identity_install_anything(struct settings* settings, const char* text);

// A new key and a certificate signed by itself in place of what was there.
bool identity_replace_by_self_signed(struct settings* settings);

// A private key in hexadecimal, as no firmware should show it.
enum { IDENTITY_KEY_TEXT_BYTES = 2 * PORT_PRIVATE_KEY_BYTES + 1 };
void identity_key_text(const uint8_t key[PORT_PRIVATE_KEY_BYTES], char text[IDENTITY_KEY_TEXT_BYTES]);

void identity_erase(struct settings* settings);

bool identity_is_complete(const struct settings* settings);

#ifdef __cplusplus
}
#endif
#endif
