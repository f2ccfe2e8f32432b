// An MQTT session: what to send when, and what the server's packets mean. No I/O: octets in, octets out, a clock handed
// in. The messages outlive the connection, as the session at the server does (clean session = 0).
#ifndef BOARDS_REFERENCE_APP_SESSION_H
#define BOARDS_REFERENCE_APP_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/mqtt.h"
#include "app/settings.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
  SESSION_PAYLOAD_BYTES = 16384,
  SESSION_OUTPUT_BYTES = SESSION_PAYLOAD_BYTES + SETTINGS_TOPIC_BYTES + 256,
};

// One message of each kind may wait for its PUBACK.
enum session_kind { SESSION_MESSAGE, SESSION_COUNTER, SESSION_KINDS };

struct session_message {
  bool waits;     // for its PUBACK
  bool queued;    // in this connection's output already
  bool was_sent;  // in an earlier connection: a duplicate now
  uint16_t packet_id;
  size_t payload_bytes;
  char topic[SETTINGS_TOPIC_BYTES];
  char payload[SESSION_PAYLOAD_BYTES];
};

struct session {
  struct mqtt_reader reader;
  struct session_message messages[SESSION_KINDS];
  uint16_t last_packet_id;
  uint32_t keep_alive_ms;  // 0: none
  uint32_t reply_timeout_ms;
  uint64_t last_queued_ms;
  uint64_t last_moved_ms;  // when output last began to wait, or some of it was sent
  uint64_t ping_sent_ms;
  bool waits_for_pingresp;
  bool accepted;  // CONNACK 0 was read
  uint8_t return_code;
  const char* error;
  uint8_t output[SESSION_OUTPUT_BYTES];
  size_t output_bytes;
};

enum session_event {
  SESSION_GOES_ON,
  SESSION_ACCEPTED,  // by CONNACK
  SESSION_REFUSED,   // by CONNACK: return_code says why
  SESSION_BROKEN,    // the server broke the protocol or fell silent: `error` says how
};

// A new connection: CONNECT is queued; what an earlier connection left unacknowledged follows its CONNACK.
void session_begin(struct session* session, const struct mqtt_connect* connect, uint32_t reply_timeout_ms,
                   uint64_t now_ms);

// Takes all octets, except after an event other than SESSION_GOES_ON: call again with the rest.
enum session_event session_receive(struct session* session, const uint8_t* bytes, size_t size_bytes, uint64_t now_ms,
                                   size_t* taken_bytes);

// Queues what is due by now.
enum session_event session_poll(struct session* session, uint64_t now_ms);
uint64_t session_next_ms(const struct session* session);

// False if the message before it still waits, or it does not fit.
bool session_publish(struct session* session, enum session_kind kind, const char* topic, const char* payload,
                     size_t payload_bytes);
bool session_waits(const struct session* session, enum session_kind kind);
// After a move: what was for the old account is dropped.
void session_forget_messages(struct session* session);

// DISCONNECT, behind what is still queued.
void session_end(struct session* session, uint64_t now_ms);

// The octets to send are `output`, `output_bytes` long; the first `size_bytes` of them were.
void session_sent(struct session* session, size_t size_bytes, uint64_t now_ms);

#ifdef __cplusplus
}
#endif
#endif
