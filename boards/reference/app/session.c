#include "app/session.h"

#include <string.h>

static uint8_t* output_end(struct session* session) { return session->output + session->output_bytes; }

static size_t output_room(const struct session* session) { return sizeof session->output - session->output_bytes; }

// `written` is 0 when there was no room.
static bool queue(struct session* session, size_t written, uint64_t now_ms) {
  if (session->output_bytes == 0) session->last_moved_ms = now_ms;
  session->output_bytes += written;
  if (written > 0) session->last_queued_ms = now_ms;
  return written > 0;
}

void session_begin(struct session* session, const struct mqtt_connect* connect, uint32_t reply_timeout_ms,
                   uint64_t now_ms) {
  mqtt_reader_reset(&session->reader);
  for (int i = 0; i < SESSION_KINDS; i++) {
    struct session_message* message = &session->messages[i];
    message->was_sent = message->was_sent || message->queued;
    message->queued = false;
  }
  session->keep_alive_ms = (uint32_t)connect->keep_alive_s * 1000;
  session->reply_timeout_ms = reply_timeout_ms;
  session->waits_for_pingresp = false;
  session->accepted = false;
  session->return_code = 0;
  session->error = "";
  session->output_bytes = 0;
  queue(session, mqtt_write_connect(session->output, sizeof session->output, connect), now_ms);
}

// Receiving --------------------------------------------------------------------------------------------------------

static enum session_event broken(struct session* session, const char* error) {
  session->error = error;
  return SESSION_BROKEN;
}

static enum session_event on_connack(struct session* session) {
  struct mqtt_connack connack;
  if (session->accepted || !mqtt_read_connack(&session->reader, &connack)) {
    return broken(session, "malformed or second CONNACK");
  }
  session->return_code = connack.return_code;
  if (connack.return_code != 0) return SESSION_REFUSED;
  session->accepted = true;
  if (connack.session_present) return SESSION_ACCEPTED;
  // A server that knows nothing of the session gets them as new ones.
  for (int i = 0; i < SESSION_KINDS; i++) session->messages[i].was_sent = false;
  return SESSION_ACCEPTED;
}

static enum session_event on_puback(struct session* session) {
  uint16_t packet_id;
  if (!mqtt_read_puback(&session->reader, &packet_id)) return broken(session, "malformed PUBACK");
  for (int i = 0; i < SESSION_KINDS; i++) {
    struct session_message* message = &session->messages[i];
    if (message->waits && message->queued && message->packet_id == packet_id) message->waits = false;
  }
  return SESSION_GOES_ON;
}

static enum session_event on_publish(struct session* session, uint64_t now_ms) {
  uint16_t packet_id;
  if (!mqtt_read_publish(&session->reader, &packet_id)) return broken(session, "malformed PUBLISH");
  if (packet_id == 0) return SESSION_GOES_ON;
  // Without room the server sends it again in the next connection.
  queue(session, mqtt_write_puback(output_end(session), output_room(session), packet_id), now_ms);
  return SESSION_GOES_ON;
}

static enum session_event on_packet(struct session* session, uint64_t now_ms) {
  if (session->reader.type == MQTT_CONNACK) return on_connack(session);
  if (!session->accepted) return broken(session, "a packet before CONNACK");
  switch (session->reader.type) {
    case MQTT_PUBACK:
      return on_puback(session);
    case MQTT_PUBLISH:
      return on_publish(session, now_ms);
    case MQTT_PINGRESP:
      if (!mqtt_read_pingresp(&session->reader)) return broken(session, "malformed PINGRESP");
      session->waits_for_pingresp = false;
      return SESSION_GOES_ON;
    default:
      return broken(session, "a packet of a type that nobody asked for");
  }
}

enum session_event session_receive(struct session* session, const uint8_t* bytes, size_t size_bytes, uint64_t now_ms,
                                   size_t* taken_bytes) {
  *taken_bytes = 0;
  while (*taken_bytes < size_bytes) {
    size_t taken = 0;
    const enum mqtt_reader_result result =
        mqtt_reader_feed(&session->reader, bytes + *taken_bytes, size_bytes - *taken_bytes, &taken);
    *taken_bytes += taken;
    if (result == MQTT_READER_MALFORMED) return broken(session, "malformed remaining length");
    if (result == MQTT_READER_MORE) break;
    const enum session_event event = on_packet(session, now_ms);
    if (event != SESSION_GOES_ON) return event;
  }
  return SESSION_GOES_ON;
}

// Sending ----------------------------------------------------------------------------------------------------------

// PINGREQ goes out when nothing else did for three quarters of the keep-alive, well before it is over.
static uint32_t ping_after_ms(const struct session* session) { return session->keep_alive_ms / 4 * 3; }

static void queue_messages(struct session* session, uint64_t now_ms) {
  for (int i = 0; i < SESSION_KINDS; i++) {
    struct session_message* message = &session->messages[i];
    if (!message->waits || message->queued) continue;
    const struct mqtt_publish publish = {message->topic, message->payload, message->payload_bytes, message->packet_id,
                                         message->was_sent};
    message->queued = queue(session, mqtt_write_publish(output_end(session), output_room(session), &publish), now_ms);
  }
}

enum session_event session_poll(struct session* session, uint64_t now_ms) {
  if (!session->accepted) return SESSION_GOES_ON;
  if (session->waits_for_pingresp && now_ms - session->ping_sent_ms >= session->reply_timeout_ms) {
    return broken(session, "no PINGRESP");
  }
  if (session->output_bytes > 0 && now_ms - session->last_moved_ms >= session->reply_timeout_ms) {
    return broken(session, "the server takes nothing");
  }
  queue_messages(session, now_ms);
  // Behind output that does not move a PINGREQ is of no use.
  if (session->output_bytes > 0) return SESSION_GOES_ON;
  if (session->keep_alive_ms == 0 || session->waits_for_pingresp) return SESSION_GOES_ON;
  if (now_ms - session->last_queued_ms < ping_after_ms(session)) return SESSION_GOES_ON;
  if (queue(session, mqtt_write_empty(output_end(session), output_room(session), MQTT_PINGREQ), now_ms)) {
    session->waits_for_pingresp = true;
    session->ping_sent_ms = now_ms;
  }
  return SESSION_GOES_ON;
}

uint64_t session_next_ms(const struct session* session) {
  if (!session->accepted) return UINT64_MAX;
  if (session->waits_for_pingresp) return session->ping_sent_ms + session->reply_timeout_ms;
  if (session->output_bytes > 0) return session->last_moved_ms + session->reply_timeout_ms;
  if (session->keep_alive_ms == 0) return UINT64_MAX;
  return session->last_queued_ms + ping_after_ms(session);
}

static bool packet_id_is_free(const struct session* session, uint16_t packet_id) {
  if (packet_id == 0) return false;  // [MQTT-2.3.1-1]
  for (int i = 0; i < SESSION_KINDS; i++) {
    if (session->messages[i].waits && session->messages[i].packet_id == packet_id) return false;
  }
  return true;
}

bool session_publish(struct session* session, enum session_kind kind, const char* topic, const char* payload,
                     size_t payload_bytes) {
  struct session_message* message = &session->messages[kind];
  const size_t topic_bytes = strlen(topic) + 1;
  if (message->waits || topic_bytes > sizeof message->topic || payload_bytes > sizeof message->payload) return false;
  do {
    session->last_packet_id++;
  } while (!packet_id_is_free(session, session->last_packet_id));
  message->waits = true;
  message->queued = false;
  message->was_sent = false;
  message->packet_id = session->last_packet_id;
  message->payload_bytes = payload_bytes;
  memcpy(message->topic, topic, topic_bytes);
  memcpy(message->payload, payload, payload_bytes);
  return true;
}

bool session_waits(const struct session* session, enum session_kind kind) { return session->messages[kind].waits; }

void session_forget_messages(struct session* session) {
  for (int i = 0; i < SESSION_KINDS; i++) session->messages[i].waits = false;
}

void session_end(struct session* session, uint64_t now_ms) {
  queue(session, mqtt_write_empty(output_end(session), output_room(session), MQTT_DISCONNECT), now_ms);
}

void session_sent(struct session* session, size_t size_bytes, uint64_t now_ms) {
  if (size_bytes > 0) session->last_moved_ms = now_ms;
  session->output_bytes -= size_bytes;
  memmove(session->output, session->output + size_bytes, session->output_bytes);
}
