// Where a seeded defect makes the firmware differ. The rest of the code asks here, and gets the right answer unless the
// image carries the defect in question.
#ifndef BOARDS_REFERENCE_APP_DEVIATIONS_H
#define BOARDS_REFERENCE_APP_DEVIATIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "app/defects.h"
#include "app/settings.h"
#include "port/port_crypto.h"
#include "port/port_net.h"

#ifdef __cplusplus
extern "C" {
#endif

// How a connection, or the attempt at one, came to its end.
enum connection_end {
  CONNECTION_END_WISHED,       // we wanted it
  CONNECTION_END_NOT_REACHED,  // no name, or no TCP connection
  CONNECTION_END_REFUSED,      // the server ended it before CONNACK, or by it
  CONNECTION_END_BROKEN,       // we refused the server, time ran out, or it ended after CONNACK
};

// What the defects remember; all of it only since the boot.
enum { DEVIATIONS_NAMES = 8 };

// A way back to the endpoint that it left.
enum deviations_detour { DEVIATIONS_NO_DETOUR, DEVIATIONS_DETOUR_TO_COME, DEVIATIONS_ON_DETOUR };

// How the firmware may come to a stand.
enum deviations_stand { DEVIATIONS_GOES_ON, DEVIATIONS_HANGS, DEVIATIONS_CRASHES };

struct deviations {
  enum defect defect;
  bool erases_identity;
  unsigned names;
  char followed_names[DEVIATIONS_NAMES][SETTINGS_ENDPOINT_BYTES];
  char sent_name[SETTINGS_ENDPOINT_BYTES + 8];
  bool tried_first_endpoint;
  bool has_first_identity;  // `chain` and `other_key`
  uint32_t keys_made;
  bool ignores_move;
  bool sent_hello;
  bool was_served;
  bool is_stuck;
  bool stopped;
  unsigned refusals;
  unsigned served;             // connections
  unsigned broken_handshakes;  // by TCP
  unsigned moves;
  enum deviations_detour detour;
  char left[SETTINGS_ENDPOINT_BYTES];
  char first_served[SETTINGS_ENDPOINT_BYTES];
  char followed[SETTINGS_ENDPOINT_BYTES];
  char tried[SETTINGS_ENDPOINT_BYTES];
  char canonical_name[PORT_NET_NAME_BYTES];
  uint8_t other_key[PORT_PRIVATE_KEY_BYTES];
  char chain[SETTINGS_PEM_BYTES];
};

void deviations_init(struct deviations* deviations, enum defect defect);

// Asked for each turn of the loop.
enum deviations_stand deviations_stand(const struct deviations* deviations);
bool deviations_flood_console(const struct deviations* deviations);

// Asked for each attempt.
bool deviations_allow_attempt(const struct deviations* deviations);
const char* deviations_endpoint(struct deviations* deviations, const struct settings* settings);
const char* deviations_question(const struct deviations* deviations, const char* endpoint);
bool deviations_speak_tls(const struct deviations* deviations);
const char* deviations_server_name(struct deviations* deviations, const char* endpoint, const char* address);
// The protocol that is offered by ALPN; NULL: none.
const char* deviations_protocol(const struct deviations* deviations, uint32_t port);
// The ClientHello on its way out: its new size, which is at most `room_bytes`.
bool deviations_rewrite_hello(const struct deviations* deviations);
size_t deviations_rewritten_hello(const struct deviations* deviations, uint8_t* record, size_t size_bytes,
                                  size_t room_bytes);
bool deviations_verify_chain(const struct deviations* deviations);
const char* deviations_verify_name(const struct deviations* deviations, const char* endpoint);
const char* deviations_certificates(struct deviations* deviations, const struct settings* settings);
bool deviations_wait(const struct deviations* deviations);
bool deviations_reset_backoff(const struct deviations* deviations);
bool deviations_close_before_move(const struct deviations* deviations);
const uint8_t* deviations_signing_key(struct deviations* deviations, const uint8_t* key);
bool deviations_reserved_flag(const struct deviations* deviations);

// The key that was just made, before anybody uses it.
void deviations_on_key(struct deviations* deviations, uint8_t key[PORT_PRIVATE_KEY_BYTES]);
enum port_request_form deviations_request_form(const struct deviations* deviations);
void deviations_on_request(const struct deviations* deviations, char* pem);
bool deviations_tell_key(const struct deviations* deviations);
bool deviations_publish_key(const struct deviations* deviations);
bool deviations_erase_before_flash(const struct deviations* deviations);
bool deviations_install_anything(const struct deviations* deviations);

// Told as it happens.
void deviations_on_answer(struct deviations* deviations, struct port_net_answer* answer);
void deviations_on_hello(struct deviations* deviations);
void deviations_on_served(struct deviations* deviations, const char* endpoint);
void deviations_on_end(struct deviations* deviations, enum connection_end end);
void deviations_on_broken_handshake(struct deviations* deviations);
void deviations_on_alert(struct deviations* deviations, unsigned alert);

// So many counts were acknowledged on this connection, and another is due. True if it is to go elsewhere: the
// connection ends.
bool deviations_turn_off(struct deviations* deviations, uint32_t counts);
// Asked after a move: how many counts to publish again.
uint32_t deviations_replayed_counts(const struct deviations* deviations);

// The endpoint was changed from `old_name`. False if the connection is to stay as it is.
bool deviations_follow_move(struct deviations* deviations, const char* old_name, const char* new_name);
bool deviations_reprovision(const struct deviations* deviations);

// True once, when the identity is to be erased.
bool deviations_erase_identity(struct deviations* deviations);

// Which endpoint a change of settings is to leave in flash.
const char* deviations_stored_endpoint(const struct deviations* deviations, const struct settings* candidate);

// What is lost first where `candidate` is to take the place of `kept` in flash.
bool deviations_wipe_before_save(const struct deviations* deviations, const struct settings* kept,
                                 const struct settings* candidate);
bool deviations_clear_endpoint_before_save(const struct deviations* deviations, const struct settings* kept,
                                           const struct settings* candidate);

// False if endpoint and identity are not to be written into flash.
bool deviations_keep_identity(const struct deviations* deviations);

// For how long what was confirmed is in RAM alone, in ms.
uint32_t deviations_store_delay_ms(const struct deviations* deviations);

#ifdef __cplusplus
}
#endif
#endif
