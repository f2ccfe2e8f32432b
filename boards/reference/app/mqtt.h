// MQTT 3.1.1 packets: what this client sends, and a reader of what it gets. No I/O, no state but the reader's.
#ifndef BOARDS_REFERENCE_APP_MQTT_H
#define BOARDS_REFERENCE_APP_MQTT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// Control packet types (§2.2.1).
enum mqtt_type {
  MQTT_CONNECT = 1,
  MQTT_CONNACK = 2,
  MQTT_PUBLISH = 3,
  MQTT_PUBACK = 4,
  MQTT_PINGREQ = 12,
  MQTT_PINGRESP = 13,
  MQTT_DISCONNECT = 14,
};

struct mqtt_connect {
  const char* client_id;
  uint16_t keep_alive_s;
  bool clean_session;
  bool reserved_flag;  // must be 0 [MQTT-3.1.2-3]; a defect sets it
};

struct mqtt_publish {
  const char* topic;
  const char* payload;
  size_t payload_bytes;
  uint16_t packet_id;
  bool duplicate;
};

// Each writes one packet and answers its size, or 0 if it does not fit.
size_t mqtt_write_connect(uint8_t* out, size_t size_bytes, const struct mqtt_connect* connect);
size_t mqtt_write_publish(uint8_t* out, size_t size_bytes, const struct mqtt_publish* publish);  // QoS 1
size_t mqtt_write_puback(uint8_t* out, size_t size_bytes, uint16_t packet_id);
size_t mqtt_write_empty(uint8_t* out, size_t size_bytes, enum mqtt_type type);  // PINGREQ, DISCONNECT

// Of a packet's body the reader keeps the beginning; the rest is counted and dropped.
enum { MQTT_READER_KEPT_BYTES = 264 };

enum mqtt_reader_stage { MQTT_READER_TYPE, MQTT_READER_LENGTH, MQTT_READER_BODY };

struct mqtt_reader {
  enum mqtt_reader_stage stage;
  uint8_t type;   // enum mqtt_type, or another
  uint8_t flags;  // the low four bits
  uint32_t body_bytes;
  uint32_t seen_bytes;  // of the body
  unsigned length_octets;
  uint8_t kept[MQTT_READER_KEPT_BYTES];
};

enum mqtt_reader_result {
  MQTT_READER_MORE,       // all was taken; the packet goes on
  MQTT_READER_PACKET,     // a packet is whole; what follows it was not taken
  MQTT_READER_MALFORMED,  // a remaining length of more than four octets (§2.2.3)
};

void mqtt_reader_reset(struct mqtt_reader* reader);
enum mqtt_reader_result mqtt_reader_feed(struct mqtt_reader* reader, const uint8_t* bytes, size_t size_bytes,
                                         size_t* taken_bytes);

// What a whole packet says. False if it is malformed: flags, sizes or values that the standard excludes.
struct mqtt_connack {
  bool session_present;
  uint8_t return_code;
};
bool mqtt_read_connack(const struct mqtt_reader* packet, struct mqtt_connack* connack);
bool mqtt_read_puback(const struct mqtt_reader* packet, uint16_t* packet_id);
bool mqtt_read_pingresp(const struct mqtt_reader* packet);
// Of an incoming PUBLISH only how to acknowledge it: *packet_id is 0 for QoS 0. QoS 2 counts as malformed, since
// nothing was ever subscribed to.
bool mqtt_read_publish(const struct mqtt_reader* packet, uint16_t* packet_id);

#ifdef __cplusplus
}
#endif
#endif
