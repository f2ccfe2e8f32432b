#include "app/mqtt.h"

#include <string.h>

enum { MAX_REMAINING_LENGTH = 268435455, TYPE_SHIFT = 4, CONTINUES = 0x80 };

// Writing ----------------------------------------------------------------------------------------------------------

struct writer {
  uint8_t* at;
  size_t left_bytes;
  bool full;
};

static void put(struct writer* writer, const void* bytes, size_t size_bytes) {
  if (writer->full || size_bytes > writer->left_bytes) {
    writer->full = true;
    return;
  }
  if (size_bytes > 0) memcpy(writer->at, bytes, size_bytes);
  writer->at += size_bytes;
  writer->left_bytes -= size_bytes;
}

static void put_octet(struct writer* writer, uint8_t octet) { put(writer, &octet, 1); }

static void put_number(struct writer* writer, uint16_t number) {
  const uint8_t octets[2] = {(uint8_t)(number >> 8), (uint8_t)number};
  put(writer, octets, sizeof octets);
}

static void put_text(struct writer* writer, const char* text) {
  const size_t length = strlen(text);
  if (length > UINT16_MAX) writer->full = true;
  put_number(writer, (uint16_t)length);
  put(writer, text, length);
}

static void put_fixed_header(struct writer* writer, enum mqtt_type type, uint8_t flags, size_t remaining_bytes) {
  if (remaining_bytes > MAX_REMAINING_LENGTH) writer->full = true;
  put_octet(writer, (uint8_t)((uint8_t)type << TYPE_SHIFT | flags));
  do {
    const uint8_t digit = (uint8_t)(remaining_bytes % CONTINUES);
    remaining_bytes /= CONTINUES;
    put_octet(writer, remaining_bytes > 0 ? digit | CONTINUES : digit);
  } while (remaining_bytes > 0);
}

static size_t written(const struct writer* writer, const uint8_t* out) {
  return writer->full ? 0 : (size_t)(writer->at - out);
}

size_t mqtt_write_connect(uint8_t* out, size_t size_bytes, const struct mqtt_connect* connect) {
  struct writer writer = {out, size_bytes, false};
  put_fixed_header(&writer, MQTT_CONNECT, 0, 2 + 4 + 1 + 1 + 2 + 2 + strlen(connect->client_id));
  put_text(&writer, "MQTT");
  put_octet(&writer, 4);  // protocol level of 3.1.1 [MQTT-3.1.2-2]
  put_octet(&writer, (uint8_t)((connect->clean_session ? 0x02 : 0) | (connect->reserved_flag ? 0x01 : 0)));
  put_number(&writer, connect->keep_alive_s);
  put_text(&writer, connect->client_id);
  return written(&writer, out);
}

size_t mqtt_write_publish(uint8_t* out, size_t size_bytes, const struct mqtt_publish* publish) {
  struct writer writer = {out, size_bytes, false};
  const uint8_t flags = (uint8_t)(0x02 | (publish->duplicate ? 0x08 : 0));
  put_fixed_header(&writer, MQTT_PUBLISH, flags, 2 + strlen(publish->topic) + 2 + publish->payload_bytes);
  put_text(&writer, publish->topic);
  put_number(&writer, publish->packet_id);
  put(&writer, publish->payload, publish->payload_bytes);
  return written(&writer, out);
}

size_t mqtt_write_puback(uint8_t* out, size_t size_bytes, uint16_t packet_id) {
  struct writer writer = {out, size_bytes, false};
  put_fixed_header(&writer, MQTT_PUBACK, 0, 2);
  put_number(&writer, packet_id);
  return written(&writer, out);
}

size_t mqtt_write_empty(uint8_t* out, size_t size_bytes, enum mqtt_type type) {
  struct writer writer = {out, size_bytes, false};
  put_fixed_header(&writer, type, 0, 0);
  return written(&writer, out);
}

// Reading ----------------------------------------------------------------------------------------------------------

void mqtt_reader_reset(struct mqtt_reader* reader) { memset(reader, 0, sizeof *reader); }

static void begin_packet(struct mqtt_reader* reader, uint8_t octet) {
  reader->type = octet >> TYPE_SHIFT;
  reader->flags = octet & 0x0F;
  reader->body_bytes = 0;
  reader->seen_bytes = 0;
  reader->length_octets = 0;
  reader->stage = MQTT_READER_LENGTH;
}

static enum mqtt_reader_result read_length(struct mqtt_reader* reader, uint8_t octet) {
  reader->body_bytes |= (uint32_t)(octet & 0x7F) << (7 * reader->length_octets++);
  if ((octet & CONTINUES) != 0) return reader->length_octets == 4 ? MQTT_READER_MALFORMED : MQTT_READER_MORE;
  reader->stage = reader->body_bytes > 0 ? MQTT_READER_BODY : MQTT_READER_TYPE;
  return reader->body_bytes > 0 ? MQTT_READER_MORE : MQTT_READER_PACKET;
}

static size_t read_body(struct mqtt_reader* reader, const uint8_t* bytes, size_t size_bytes) {
  const uint32_t wanted = reader->body_bytes - reader->seen_bytes;
  const uint32_t part = size_bytes < wanted ? (uint32_t)size_bytes : wanted;
  if (reader->seen_bytes < sizeof reader->kept) {
    const size_t room = sizeof reader->kept - reader->seen_bytes;
    memcpy(reader->kept + reader->seen_bytes, bytes, part < room ? part : room);
  }
  reader->seen_bytes += part;
  return part;
}

enum mqtt_reader_result mqtt_reader_feed(struct mqtt_reader* reader, const uint8_t* bytes, size_t size_bytes,
                                         size_t* taken_bytes) {
  *taken_bytes = 0;
  while (*taken_bytes < size_bytes) {
    enum mqtt_reader_result result = MQTT_READER_MORE;
    switch (reader->stage) {
      case MQTT_READER_TYPE:
        begin_packet(reader, bytes[(*taken_bytes)++]);
        break;
      case MQTT_READER_LENGTH:
        result = read_length(reader, bytes[(*taken_bytes)++]);
        break;
      case MQTT_READER_BODY:
        *taken_bytes += read_body(reader, bytes + *taken_bytes, size_bytes - *taken_bytes);
        if (reader->seen_bytes < reader->body_bytes) break;
        reader->stage = MQTT_READER_TYPE;
        result = MQTT_READER_PACKET;
        break;
    }
    if (result != MQTT_READER_MORE) return result;
  }
  return MQTT_READER_MORE;
}

static uint16_t number_at(const uint8_t* at) { return (uint16_t)(at[0] << 8 | at[1]); }

bool mqtt_read_connack(const struct mqtt_reader* packet, struct mqtt_connack* connack) {
  if (packet->flags != 0 || packet->body_bytes != 2 || (packet->kept[0] & 0xFE) != 0) return false;
  connack->session_present = packet->kept[0] == 1;
  connack->return_code = packet->kept[1];
  return connack->return_code == 0 || !connack->session_present;  // [MQTT-3.2.2-4]
}

bool mqtt_read_puback(const struct mqtt_reader* packet, uint16_t* packet_id) {
  if (packet->flags != 0 || packet->body_bytes != 2) return false;
  *packet_id = number_at(packet->kept);
  return *packet_id != 0;
}

bool mqtt_read_pingresp(const struct mqtt_reader* packet) { return packet->flags == 0 && packet->body_bytes == 0; }

bool mqtt_read_publish(const struct mqtt_reader* packet, uint16_t* packet_id) {
  const unsigned quality = (packet->flags >> 1) & 3;
  *packet_id = 0;
  if (quality > 1 || packet->body_bytes < 2) return false;
  const uint32_t id_at = 2 + (uint32_t)number_at(packet->kept);
  if (id_at > packet->body_bytes) return false;
  if (quality == 0) return (packet->flags & 0x08) == 0;  // [MQTT-3.3.1-2]
  // A topic longer than the service allows would hide the packet id behind what is kept.
  if (id_at + 2 > packet->body_bytes || id_at + 2 > sizeof packet->kept) return false;
  *packet_id = number_at(packet->kept + id_at);
  return *packet_id != 0;
}
