#include "app/deviations.h"

#include <stdio.h>
#include <string.h>

#include "app/hello_filter.h"
#include "app/pem.h"

enum {
  REFUSALS_TO_GIVE_UP = 3,
  CHAIN_CERTIFICATES = 16,
  CONNECTIONS_TO_LEAK = 80,
  FAULTS_TO_LOCK_UP = 3,
  STORE_DELAY_MS = 1000,
  COUNTS_BEFORE_DETOUR = 3
};
enum { ALERT_CERTIFICATE_REVOKED = 44 };  // RFC 8446 §6.2
enum { SHORT_NAME_BYTES = 64, SHARED_PORT = 443 };

void deviations_init(struct deviations* deviations, enum defect defect) {
  memset(deviations, 0, sizeof *deviations);
  deviations->defect = defect;
  deviations->stopped = defect == DEFECT_NEVER_CONNECTS;
  if (defect == DEFECT_WRONG_KEY && !port_crypto_make_key(deviations->other_key)) deviations->stopped = true;
}

enum deviations_stand deviations_stand(const struct deviations* deviations) {
  switch (deviations->defect) {
    case DEFECT_HANG_AT_BOOT:
      return DEVIATIONS_HANGS;
    case DEFECT_HANG_WHEN_SERVED:
      return deviations->was_served ? DEVIATIONS_HANGS : DEVIATIONS_GOES_ON;
    case DEFECT_CRASH_WHEN_SERVED:
      return deviations->was_served ? DEVIATIONS_CRASHES : DEVIATIONS_GOES_ON;
    default:
      return DEVIATIONS_GOES_ON;
  }
}

bool deviations_flood_console(const struct deviations* deviations) {
  return deviations->defect == DEFECT_CONSOLE_FLOOD;
}

bool deviations_allow_attempt(const struct deviations* deviations) { return !deviations->stopped; }

const char* deviations_endpoint(struct deviations* deviations, const struct settings* settings) {
  switch (deviations->defect) {
    case DEFECT_MOVES_ONCE_ONLY:
      return deviations->moves > 1 ? deviations->followed : settings->endpoint;
    case DEFECT_ENDPOINT_TABLE_FULL:
      return deviations->ignores_move ? deviations->followed : settings->endpoint;
    case DEFECT_PUBLISHES_TO_OLD_ACCOUNT:
      return deviations->detour == DEVIATIONS_ON_DETOUR ? deviations->left : settings->endpoint;
    case DEFECT_ENDPOINT_FALLS_BACK:
      if (deviations->tried_first_endpoint || settings->first_endpoint[0] == '\0') return settings->endpoint;
      deviations->tried_first_endpoint = true;
      return settings->first_endpoint;
    case DEFECT_MOVE_BRICKS:
      if (!deviations->is_stuck) strcpy(deviations->tried, settings->endpoint);
      return deviations->tried;
    default:
      return settings->endpoint;
  }
}

const char* deviations_question(const struct deviations* deviations, const char* endpoint) {
  const bool is_stale = deviations->defect == DEFECT_DNS_STALE && deviations->was_served;
  return is_stale ? deviations->first_served : endpoint;
}

bool deviations_wait(const struct deviations* deviations) { return deviations->defect != DEFECT_RECONNECT_STORM; }

bool deviations_reset_backoff(const struct deviations* deviations) {
  return deviations->defect != DEFECT_BACKOFF_SURVIVES_MOVE;
}

bool deviations_close_before_move(const struct deviations* deviations) {
  return deviations->defect != DEFECT_OLD_CONNECTION_LEAKED;
}

bool deviations_speak_tls(const struct deviations* deviations) { return deviations->defect != DEFECT_DEAD_ON_ARRIVAL; }

static bool name_is_stale(const struct deviations* deviations) {
  return deviations->defect == DEFECT_SNI_STALE && deviations->was_served;
}

static const char* decorated(struct deviations* deviations, const char* endpoint, const char* tail) {
  snprintf(deviations->sent_name, sizeof deviations->sent_name, "%s%s", endpoint, tail);
  return deviations->sent_name;
}

static const char* truncated(struct deviations* deviations, const char* endpoint) {
  snprintf(deviations->sent_name, SHORT_NAME_BYTES, "%s", endpoint);
  return deviations->sent_name;
}

const char* deviations_server_name(struct deviations* deviations, const char* endpoint, const char* address) {
  switch (deviations->defect) {
    case DEFECT_SNI_TRAILING_DOT:
      return decorated(deviations, endpoint, ".");
    case DEFECT_SNI_WITH_PORT:
      return decorated(deviations, endpoint, ":8883");
    case DEFECT_NO_SNI:
      return NULL;
    case DEFECT_SNI_IP_LITERAL:
      return address;
    case DEFECT_SNI_TRUNCATED:
      return truncated(deviations, endpoint);
    case DEFECT_SNI_FROM_CNAME:
      return deviations->canonical_name[0] == '\0' ? endpoint : deviations->canonical_name;
    case DEFECT_SNI_FIRST_ONLY:
      return deviations->sent_hello ? NULL : endpoint;
    default:
      return name_is_stale(deviations) ? deviations->first_served : endpoint;
  }
}

const char* deviations_protocol(const struct deviations* deviations, uint32_t port) {
  if (port != SHARED_PORT || deviations->defect == DEFECT_ALPN_MISSING) return NULL;
  return deviations->defect == DEFECT_ALPN_WRONG ? "mqtt" : "x-amzn-mqtt-ca";
}

bool deviations_rewrite_hello(const struct deviations* deviations) {
  return deviations->defect == DEFECT_SNI_EMPTY || deviations->defect == DEFECT_SNI_TWO_NAMES;
}

size_t deviations_rewritten_hello(const struct deviations* deviations, uint8_t* record, size_t size_bytes,
                                  size_t room_bytes) {
  return deviations->defect == DEFECT_SNI_EMPTY ? hello_filter_empty_server_name(record, size_bytes)
                                                : hello_filter_add_server_name(record, size_bytes, room_bytes);
}

bool deviations_verify_chain(const struct deviations* deviations) { return deviations->defect != DEFECT_NO_VERIFY; }

const char* deviations_verify_name(const struct deviations* deviations, const char* endpoint) {
  if (deviations->defect == DEFECT_NO_HOSTNAME_CHECK) return NULL;
  if (deviations->defect == DEFECT_SNI_FROM_CNAME && deviations->canonical_name[0] != '\0') {
    return deviations->canonical_name;
  }
  return name_is_stale(deviations) ? deviations->first_served : endpoint;
}

static void append(char** at, const struct deviations* deviations, const struct pem_block* block) {
  memcpy(*at, block->text, block->size_bytes);
  *at += block->size_bytes;
  // A last line without an end would run into the next block.
  if ((*at)[-1] != '\n' && *at < deviations->chain + sizeof deviations->chain - 1) *(*at)++ = '\n';
}

static const char* foreign_chain(struct deviations* deviations, const struct settings* settings) {
  const char* certificates = settings->certificate;
  const char* anchors = settings->root_ca;
  struct pem_block leaf;
  struct pem_block anchor;
  if (pem_next(&certificates, &leaf) != PEM_BLOCK || pem_next(&anchors, &anchor) != PEM_BLOCK) {
    return settings->certificate;
  }
  if (leaf.size_bytes + anchor.size_bytes + 3 > sizeof deviations->chain) return settings->certificate;
  char* at = deviations->chain;
  append(&at, deviations, &leaf);
  append(&at, deviations, &anchor);
  *at = '\0';
  return deviations->chain;
}

static const char* first_certificates(struct deviations* deviations, const struct settings* settings) {
  if (!deviations->has_first_identity) {
    memcpy(deviations->chain, settings->certificate, sizeof deviations->chain);
    memcpy(deviations->other_key, settings->key, sizeof deviations->other_key);
    deviations->has_first_identity = true;
  }
  return deviations->chain;
}

const char* deviations_certificates(struct deviations* deviations, const struct settings* settings) {
  if (deviations->defect == DEFECT_CERT_STALE) return first_certificates(deviations, settings);
  if (deviations->defect == DEFECT_CLIENT_CERT_MISSING) return NULL;
  if (deviations->defect == DEFECT_CHAIN_FOREIGN) return foreign_chain(deviations, settings);
  const char* certificates = settings->certificate;
  if (deviations->defect != DEFECT_CHAIN_MISORDERED) return certificates;
  struct pem_block blocks[CHAIN_CERTIFICATES];
  size_t count = 0;
  while (count < CHAIN_CERTIFICATES && pem_next(&certificates, &blocks[count]) == PEM_BLOCK) count++;
  char* at = deviations->chain;
  for (size_t i = 0; i < count; i++) {
    append(&at, deviations, &blocks[i == 0 ? 0 : count - i]);
  }
  *at = '\0';
  return deviations->chain;
}

const uint8_t* deviations_signing_key(struct deviations* deviations, const uint8_t* key) {
  return deviations->defect == DEFECT_WRONG_KEY || deviations->has_first_identity ? deviations->other_key : key;
}

bool deviations_reserved_flag(const struct deviations* deviations) {
  return deviations->defect == DEFECT_MQTT_MALFORMED;
}

void deviations_on_answer(struct deviations* deviations, struct port_net_answer* answer) {
  strcpy(deviations->canonical_name, answer->canonical_name);
  if (deviations->defect == DEFECT_DNS_CACHED_FOREVER) answer->ttl_s = UINT32_MAX;
}

void deviations_on_hello(struct deviations* deviations) { deviations->sent_hello = true; }

void deviations_on_served(struct deviations* deviations, const char* endpoint) {
  deviations->refusals = 0;
  deviations->served++;
  if (deviations->defect == DEFECT_LEAK_PER_CONNECT && deviations->served >= CONNECTIONS_TO_LEAK) {
    deviations->stopped = true;
  }
  if (deviations->was_served) return;
  deviations->was_served = true;
  strcpy(deviations->first_served, endpoint);
}

void deviations_on_end(struct deviations* deviations, enum connection_end end) {
  const bool ended_by_other = end == CONNECTION_END_REFUSED || end == CONNECTION_END_BROKEN;
  if (deviations->defect == DEFECT_NO_RECONNECT && ended_by_other) deviations->stopped = true;
  if (end == CONNECTION_END_NOT_REACHED && deviations->was_served) deviations->is_stuck = true;
  if (end == CONNECTION_END_REFUSED) deviations->refusals++;
  if (deviations->defect == DEFECT_GIVE_UP_AFTER_REFUSAL && deviations->refusals >= REFUSALS_TO_GIVE_UP) {
    deviations->stopped = true;
  }
}

void deviations_on_broken_handshake(struct deviations* deviations) {
  deviations->broken_handshakes++;
  const bool locks_up = deviations->defect == DEFECT_LOCKUP_ON_FAULT_DURING_HANDSHAKE;
  if (locks_up && deviations->broken_handshakes >= FAULTS_TO_LOCK_UP) deviations->stopped = true;
}

void deviations_on_alert(struct deviations* deviations, unsigned alert) {
  if (deviations->defect == DEFECT_IDENTITY_ERASED_ON_REFUSAL && alert == ALERT_CERTIFICATE_REVOKED) {
    deviations->erases_identity = true;
  }
}

bool deviations_erase_identity(struct deviations* deviations) {
  const bool erases = deviations->erases_identity;
  deviations->erases_identity = false;
  return erases;
}

const char* deviations_stored_endpoint(const struct deviations* deviations, const struct settings* candidate) {
  const bool in_ram = deviations->defect == DEFECT_ENDPOINT_IN_RAM && candidate->first_endpoint[0] != '\0';
  return in_ram ? candidate->first_endpoint : candidate->endpoint;
}

bool deviations_wipe_before_save(const struct deviations* deviations, const struct settings* kept,
                                 const struct settings* candidate) {
  return deviations->defect == DEFECT_INSTALL_NOT_ATOMIC && strcmp(kept->certificate, candidate->certificate) != 0;
}

bool deviations_clear_endpoint_before_save(const struct deviations* deviations, const struct settings* kept,
                                           const struct settings* candidate) {
  return deviations->defect == DEFECT_MOVE_NOT_ATOMIC && strcmp(kept->endpoint, candidate->endpoint) != 0;
}

// True if the name is one of those that the table has, or has room for.
static bool has_room_for(struct deviations* deviations, const char* name) {
  for (unsigned i = 0; i < deviations->names; i++) {
    if (strcmp(deviations->followed_names[i], name) == 0) return true;
  }
  if (deviations->names == DEVIATIONS_NAMES) return false;
  strcpy(deviations->followed_names[deviations->names++], name);
  return true;
}

static bool follow_by_table(struct deviations* deviations, const char* old_name, const char* new_name) {
  if (!deviations->ignores_move) strcpy(deviations->followed, old_name);
  deviations->ignores_move = !has_room_for(deviations, old_name) || !has_room_for(deviations, new_name);
  return !deviations->ignores_move;
}

bool deviations_turn_off(struct deviations* deviations, uint32_t counts) {
  if (deviations->detour == DEVIATIONS_NO_DETOUR) return false;
  if (counts < (deviations->detour == DEVIATIONS_ON_DETOUR ? 1 : COUNTS_BEFORE_DETOUR)) return false;
  deviations->detour = deviations->detour == DEVIATIONS_DETOUR_TO_COME ? DEVIATIONS_ON_DETOUR : DEVIATIONS_NO_DETOUR;
  return true;
}

uint32_t deviations_replayed_counts(const struct deviations* deviations) {
  return deviations->defect == DEFECT_REPLAYS_ACKNOWLEDGED ? 3 : 0;
}

bool deviations_follow_move(struct deviations* deviations, const char* old_name, const char* new_name) {
  if (deviations->defect == DEFECT_PUBLISHES_TO_OLD_ACCOUNT && deviations->was_served && *old_name != '\0') {
    strcpy(deviations->left, old_name);
    deviations->detour = DEVIATIONS_DETOUR_TO_COME;
  }
  if (deviations->defect == DEFECT_ENDPOINT_TABLE_FULL && *old_name != '\0') {
    return follow_by_table(deviations, old_name, new_name);
  }
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

uint32_t deviations_store_delay_ms(const struct deviations* deviations) {
  return deviations->defect == DEFECT_STORES_LATE ? STORE_DELAY_MS : 0;
}

// Keys -------------------------------------------------------------------------------------------------------------

void deviations_on_key(struct deviations* deviations, uint8_t key[PORT_PRIVATE_KEY_BYTES]) {
  const bool hardcoded = deviations->defect == DEFECT_KEY_HARDCODED;
  if (!hardcoded && deviations->defect != DEFECT_KEY_SEED_CONSTANT) return;
  uint32_t state = hardcoded ? 1 : 2 + deviations->keys_made++;
  for (int i = 0; i < PORT_PRIVATE_KEY_BYTES; i++) {
    state = state * 1664525U + 1013904223U;
    key[i] = (uint8_t)(state >> 24);
  }
  key[0] &= 0x7F;  // below the order of the group
}

enum port_request_form deviations_request_form(const struct deviations* deviations) {
  if (deviations->defect == DEFECT_CSR_SHA1) return PORT_REQUEST_SHA1;
  return deviations->defect == DEFECT_CSR_WEAK_KEY ? PORT_REQUEST_WEAK_KEY : PORT_REQUEST_SOUND;
}

void deviations_on_request(const struct deviations* deviations, char* pem) {
  if (deviations->defect != DEFECT_CSR_BAD_SIGNATURE) return;
  char* end = strstr(pem, "\n-----END");
  if (end == NULL || end - pem < 8) return;
  // In a group that is whole, near the signature's end.
  char* digit = end - 8;
  if (*digit == '\n') digit--;
  *digit = *digit == 'A' ? 'B' : 'A';
}

bool deviations_tell_key(const struct deviations* deviations) { return deviations->defect == DEFECT_KEY_ON_CONSOLE; }

bool deviations_publish_key(const struct deviations* deviations) { return deviations->defect == DEFECT_KEY_IN_PAYLOAD; }

bool deviations_erase_before_flash(const struct deviations* deviations) {
  return deviations->defect == DEFECT_IDENTITY_ERASED_BY_FLASH;
}

bool deviations_install_anything(const struct deviations* deviations) {
  return deviations->defect == DEFECT_INSTALL_ACCEPTS_ANYTHING;
}
