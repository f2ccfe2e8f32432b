#include "app/deviations.h"

#include <string.h>

#include "app/pem.h"

enum { REFUSALS_TO_GIVE_UP = 3, CHAIN_CERTIFICATES = 16 };

void deviations_init(struct deviations* deviations, enum defect defect) {
  memset(deviations, 0, sizeof *deviations);
  deviations->defect = defect;
  if (defect == DEFECT_WRONG_KEY && !port_crypto_make_key(deviations->other_key)) deviations->stopped = true;
}

bool deviations_allow_attempt(const struct deviations* deviations) { return !deviations->stopped; }

const char* deviations_endpoint(const struct deviations* deviations, const char* stored) {
  return deviations->defect == DEFECT_MOVES_ONCE_ONLY && deviations->moves > 1 ? deviations->followed : stored;
}

bool deviations_speak_tls(const struct deviations* deviations) { return deviations->defect != DEFECT_DEAD_ON_ARRIVAL; }

static bool name_is_stale(const struct deviations* deviations) {
  return deviations->defect == DEFECT_SNI_STALE && deviations->was_served;
}

const char* deviations_server_name(const struct deviations* deviations, const char* endpoint, const char* address) {
  switch (deviations->defect) {
    case DEFECT_NO_SNI:
      return NULL;
    case DEFECT_SNI_IP_LITERAL:
      return address;
    case DEFECT_SNI_FIRST_ONLY:
      return deviations->sent_hello ? NULL : endpoint;
    default:
      return name_is_stale(deviations) ? deviations->first_served : endpoint;
  }
}

bool deviations_empty_server_name(const struct deviations* deviations) {
  return deviations->defect == DEFECT_SNI_EMPTY;
}

bool deviations_verify_chain(const struct deviations* deviations) { return deviations->defect != DEFECT_NO_VERIFY; }

const char* deviations_verify_name(const struct deviations* deviations, const char* endpoint) {
  if (deviations->defect == DEFECT_NO_HOSTNAME_CHECK) return NULL;
  return name_is_stale(deviations) ? deviations->first_served : endpoint;
}

const char* deviations_certificates(struct deviations* deviations, const char* certificates) {
  if (deviations->defect != DEFECT_CHAIN_MISORDERED) return certificates;
  struct pem_block blocks[CHAIN_CERTIFICATES];
  size_t count = 0;
  while (count < CHAIN_CERTIFICATES && pem_next(&certificates, &blocks[count]) == PEM_BLOCK) count++;
  char* at = deviations->chain;
  for (size_t i = 0; i < count; i++) {
    const struct pem_block* block = &blocks[i == 0 ? 0 : count - i];
    memcpy(at, block->text, block->size_bytes);
    at += block->size_bytes;
    // A last line without an end would run into the next block.
    if (at[-1] != '\n' && at < deviations->chain + sizeof deviations->chain - 1) *at++ = '\n';
  }
  *at = '\0';
  return deviations->chain;
}

const uint8_t* deviations_signing_key(struct deviations* deviations, const uint8_t* key) {
  return deviations->defect == DEFECT_WRONG_KEY ? deviations->other_key : key;
}

bool deviations_reserved_flag(const struct deviations* deviations) {
  return deviations->defect == DEFECT_MQTT_MALFORMED;
}

void deviations_on_hello(struct deviations* deviations) { deviations->sent_hello = true; }

void deviations_on_served(struct deviations* deviations, const char* endpoint) {
  deviations->refusals = 0;
  if (deviations->was_served) return;
  deviations->was_served = true;
  strcpy(deviations->first_served, endpoint);
}

void deviations_on_end(struct deviations* deviations, enum connection_end end) {
  const bool ended_by_other = end == CONNECTION_END_REFUSED || end == CONNECTION_END_BROKEN;
  if (deviations->defect == DEFECT_NO_RECONNECT && ended_by_other) deviations->stopped = true;
  if (end == CONNECTION_END_REFUSED) deviations->refusals++;
  if (deviations->defect == DEFECT_GIVE_UP_AFTER_REFUSAL && deviations->refusals >= REFUSALS_TO_GIVE_UP) {
    deviations->stopped = true;
  }
}

bool deviations_follow_move(struct deviations* deviations, const char* old_name, const char* new_name) {
  if (!deviations->was_served || *old_name == '\0') return true;
  deviations->moves++;
  if (deviations->moves == 1) strcpy(deviations->followed, new_name);
  return deviations->defect != DEFECT_MOVES_ONCE_ONLY || deviations->moves == 1;
}

bool deviations_reprovision(const struct deviations* deviations) {
  return deviations->defect == DEFECT_REPROVISION_ON_MOVE && deviations->was_served;
}

bool deviations_keep_identity(const struct deviations* deviations) {
  return deviations->defect != DEFECT_IDENTITY_IN_RAM;
}
