#include "app/identity.h"

#include <stdio.h>
#include <string.h>

#include "app/pem.h"
#include "port/port_crypto.h"

bool identity_make_pending_key(struct settings* settings) {
  uint8_t key[PORT_PRIVATE_KEY_BYTES];
  if (!port_crypto_make_key(key)) return false;
  memcpy(settings->pending_key, key, sizeof key);
  settings->has_pending_key = 1;
  return true;
}

bool identity_make_request(const struct settings* settings, enum port_request_form form, char* pem, size_t size_bytes) {
  return settings->has_pending_key == 1 &&
         port_crypto_make_request(settings->pending_key, form, settings->thing_name, pem, size_bytes);
}

enum identity_result identity_install(struct settings* settings, const char* pem) {
  const size_t length = strlen(pem);
  if (length >= sizeof settings->certificate) return IDENTITY_TOO_LONG;
  const char* at = pem;
  struct pem_block leaf;
  if (!pem_is_certificates(pem) || pem_next(&at, &leaf) != PEM_BLOCK) return IDENTITY_UNREADABLE;
  if (settings->has_pending_key == 0 && settings->has_key == 0) return IDENTITY_NO_KEY;
  if (settings->has_pending_key == 1 &&
      port_crypto_certificate_has_key(leaf.text, leaf.size_bytes, settings->pending_key)) {
    memcpy(settings->key, settings->pending_key, sizeof settings->key);
    memset(settings->pending_key, 0, sizeof settings->pending_key);
    settings->has_key = 1;
    settings->has_pending_key = 0;
  } else if (settings->has_key == 0 || !port_crypto_certificate_has_key(leaf.text, leaf.size_bytes, settings->key)) {
    return IDENTITY_OTHER_KEY;
  }
  memcpy(settings->certificate, pem, length + 1);
  return IDENTITY_OK;
}

bool identity_install_anything(struct settings* settings, const char* text) {
  const size_t length = strlen(text);
  if (length >= sizeof settings->certificate) return false;
  memcpy(settings->certificate, text, length + 1);
  return true;
}

bool identity_replace_by_self_signed(struct settings* settings) {
  uint8_t key[PORT_PRIVATE_KEY_BYTES];
  if (!port_crypto_make_key(key)) return false;
  identity_erase(settings);
  memcpy(settings->key, key, sizeof key);
  settings->has_key = 1;
  return port_crypto_make_self_signed(key, settings->thing_name, settings->certificate, sizeof settings->certificate);
}

void identity_key_text(const uint8_t key[PORT_PRIVATE_KEY_BYTES], char text[IDENTITY_KEY_TEXT_BYTES]) {
  for (int i = 0; i < PORT_PRIVATE_KEY_BYTES; i++) snprintf(text + (size_t)i * 2, 3, "%02x", key[i]);
}

void identity_erase(struct settings* settings) {
  memset(settings->certificate, 0, sizeof settings->certificate);
  memset(settings->key, 0, sizeof settings->key);
  memset(settings->pending_key, 0, sizeof settings->pending_key);
  settings->has_key = 0;
  settings->has_pending_key = 0;
}

bool identity_is_complete(const struct settings* settings) {
  return settings->has_key == 1 && settings->certificate[0] != '\0';
}
