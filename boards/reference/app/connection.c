#include "app/connection.h"

#include <stdio.h>
#include <string.h>

#include "app/identity.h"
#include "port/port_random.h"

enum { READS_PER_STEP = 16, REASON_BYTES = 256, HELLO_BYTES = 2048 };

void connection_init(struct connection* connection, struct port_net* net, struct port_tls* tls, struct console* console,
                     const struct settings* settings, struct deviations* deviations) {
  memset(connection, 0, sizeof *connection);
  connection->net = net;
  connection->tls = tls;
  connection->console = console;
  connection->settings = settings;
  connection->deviations = deviations;
}

bool connection_is_served(const struct connection* connection) { return connection->state == CONNECTION_SERVED; }

static void enter(struct connection* connection, enum connection_state state, uint64_t now_ms) {
  connection->state = state;
  connection->deadline_ms = now_ms + connection->settings->connect_timeout_ms;
}

// Ends -------------------------------------------------------------------------------------------------------------

static bool is_open(const struct connection* connection) {
  return connection->state != CONNECTION_IDLE && connection->state != CONNECTION_WAITING;
}

static void release(struct connection* connection) {
  port_tls_stop(connection->tls);
  port_net_close(connection->net);
}

static void wait_for_next_attempt(struct connection* connection, uint64_t now_ms) {
  const struct settings* settings = connection->settings;
  uint32_t random = 0;
  port_random_fill((uint8_t*)&random, sizeof random);
  uint32_t delay_ms =
      backoff_next_ms(&connection->backoff, settings->backoff_base_ms, settings->backoff_cap_ms, random);
  if (!deviations_wait(connection->deviations)) delay_ms = 0;
  connection->state = CONNECTION_WAITING;
  connection->deadline_ms = now_ms + delay_ms;
  char text[16];
  snprintf(text, sizeof text, "%lu", (unsigned long)delay_ms);
  console_tell(connection->console, "RETRY", text);
}

// It ended, and we did not want it to.
static void fail(struct connection* connection, enum connection_end end, const char* reason, uint64_t now_ms) {
  const bool was_served = connection->state == CONNECTION_SERVED;
  release(connection);
  console_tell(connection->console, "DISCONNECTED", reason);
  // A connection that is dropped soon after CONNACK, again and again, must not be met with ever the same short delay.
  if (was_served && now_ms - connection->served_since_ms >= connection->settings->backoff_cap_ms) {
    backoff_reset(&connection->backoff);
  }
  deviations_on_end(connection->deviations, end);
  connection->state = CONNECTION_IDLE;
  if (deviations_allow_attempt(connection->deviations)) wait_for_next_attempt(connection, now_ms);
}

static void fail_reaching(struct connection* connection, uint64_t now_ms) {
  char reason[REASON_BYTES];
  snprintf(reason, sizeof reason, "%s", port_net_error(connection->net));
  fail(connection, CONNECTION_END_NOT_REACHED, reason, now_ms);
}

static const char* state_text(enum connection_state state) {
  switch (state) {
    case CONNECTION_HANDSHAKING:
      return "in the TLS handshake";
    case CONNECTION_GREETING:
      return "before CONNACK";
    default:
      return "while it was served";
  }
}

static void fail_tls(struct connection* connection, uint64_t now_ms) {
  const enum port_tls_end end = port_tls_ended_by(connection->tls);
  const bool by_server = end == PORT_TLS_END_CLOSED || end == PORT_TLS_END_ALERT || end == PORT_TLS_END_TRANSPORT;
  deviations_on_alert(connection->deviations, port_tls_alert(connection->tls));
  if (connection->state == CONNECTION_HANDSHAKING && end == PORT_TLS_END_TRANSPORT) {
    deviations_on_broken_handshake(connection->deviations);
  }
  const bool before_connack = connection->state != CONNECTION_SERVED;
  char reason[REASON_BYTES];
  snprintf(reason, sizeof reason, "%s, %s%s%s", port_tls_error(connection->tls), state_text(connection->state),
           end == PORT_TLS_END_TRANSPORT ? ": " : "",
           end == PORT_TLS_END_TRANSPORT ? port_net_error(connection->net) : "");
  fail(connection, by_server && before_connack ? CONNECTION_END_REFUSED : CONNECTION_END_BROKEN, reason, now_ms);
}

static void fail_in_time(struct connection* connection, uint64_t now_ms) {
  char reason[REASON_BYTES];
  const bool reached = connection->state >= CONNECTION_HANDSHAKING;
  snprintf(reason, sizeof reason, "timeout: no %s within %lu ms",
           connection->state == CONNECTION_RESOLVING     ? "answer to the DNS question"
           : connection->state == CONNECTION_REACHING    ? "TCP connection"
           : connection->state == CONNECTION_HANDSHAKING ? "end of the TLS handshake"
                                                         : "CONNACK",
           (unsigned long)connection->settings->connect_timeout_ms);
  fail(connection, reached ? CONNECTION_END_BROKEN : CONNECTION_END_NOT_REACHED, reason, now_ms);
}

// Octets -----------------------------------------------------------------------------------------------------------

static enum port_result send_record(void* context, const uint8_t* bytes, size_t size_bytes, size_t* sent_bytes) {
  struct connection* connection = context;
  if (connection->hello_is_out || !deviations_rewrite_hello(connection->deviations) || size_bytes > HELLO_BYTES) {
    return port_net_send(connection->net, bytes, size_bytes, sent_bytes);
  }
  uint8_t hello[HELLO_BYTES];
  memcpy(hello, bytes, size_bytes);
  const size_t hello_bytes = deviations_rewritten_hello(connection->deviations, hello, size_bytes, sizeof hello);
  const enum port_result result = port_net_send(connection->net, hello, hello_bytes, sent_bytes);
  if (result != PORT_OK) return result;
  if (*sent_bytes < hello_bytes) return PORT_FAILED;
  connection->hello_is_out = true;
  *sent_bytes = size_bytes;
  return PORT_OK;
}

static enum port_result receive_record(void* context, uint8_t* bytes, size_t size_bytes, size_t* received_bytes) {
  struct connection* connection = context;
  return port_net_receive(connection->net, bytes, size_bytes, received_bytes);
}

// False after a failure, which is told already.
static bool send_output(struct connection* connection, uint64_t now_ms) {
  struct session* session = &connection->session;
  while (session->output_bytes > 0) {
    size_t sent = 0;
    const enum port_result result = port_tls_write(connection->tls, session->output, session->output_bytes, &sent);
    if (result == PORT_AGAIN) return true;
    if (result != PORT_OK) {
      fail_tls(connection, now_ms);
      return false;
    }
    session_sent(session, sent, now_ms);
  }
  return true;
}

static void close_in_good_order(struct connection* connection, uint64_t now_ms) {
  if (connection->state == CONNECTION_GREETING || connection->state == CONNECTION_SERVED) {
    struct session* session = &connection->session;
    session_end(session, now_ms);
    size_t sent = 0;
    // As far as it goes without waiting: the server must not be able to hold us.
    while (session->output_bytes > 0 &&
           port_tls_write(connection->tls, session->output, session->output_bytes, &sent) == PORT_OK) {
      session_sent(session, sent, now_ms);
    }
    port_tls_close(connection->tls);
  }
  release(connection);
}

void connection_stop(struct connection* connection, const char* reason, uint64_t now_ms) {
  if (is_open(connection)) {
    close_in_good_order(connection, now_ms);
    console_tell(connection->console, "DISCONNECTED", reason);
  }
  if (deviations_reset_backoff(connection->deviations)) backoff_reset(&connection->backoff);
  connection->state = CONNECTION_IDLE;
  connection->told_what_is_missing = false;
}

void connection_restart(struct connection* connection, bool other_endpoint, const char* reason, uint64_t now_ms) {
  if (other_endpoint && is_open(connection) && !deviations_close_before_move(connection->deviations)) {
    port_net_abandon(connection->net);
  }
  connection_stop(connection, reason, now_ms);
  if (!other_endpoint) return;
  session_forget_messages(&connection->session);
  const uint32_t replayed = deviations_replayed_counts(connection->deviations);
  connection->count -= replayed < connection->count ? replayed : connection->count;
}

// The way up -------------------------------------------------------------------------------------------------------

static void say_what_is_missing(struct connection* connection) {
  const struct settings* settings = connection->settings;
  const char* what = settings->endpoint[0] == '\0'     ? "Endpoint is not set"
                     : settings->root_ca[0] == '\0'    ? "RootCA is not set"
                     : !identity_is_complete(settings) ? "Certificate is not set"
                                                       : NULL;
  if (what == NULL || connection->told_what_is_missing) return;
  connection->told_what_is_missing = true;
  console_tell(connection->console, "DISCONNECTED", what);
}

static bool may_attempt(struct connection* connection) {
  const struct settings* settings = connection->settings;
  if (settings->wishes_connection == 0 || !deviations_allow_attempt(connection->deviations)) return false;
  if (settings->endpoint[0] != '\0' && settings->root_ca[0] != '\0' && identity_is_complete(settings)) return true;
  say_what_is_missing(connection);
  return false;
}

static void reach(struct connection* connection, uint64_t now_ms) {
  const uint32_t ipv4 = connection->ipv4;
  snprintf(connection->address, sizeof connection->address, "%u.%u.%u.%u", (unsigned)(ipv4 >> 24),
           (unsigned)(ipv4 >> 16 & 255), (unsigned)(ipv4 >> 8 & 255), (unsigned)(ipv4 & 255));
  enter(connection, CONNECTION_REACHING, now_ms);
  const uint16_t port = (uint16_t)connection->settings->port;
  if (port_net_connect_start(connection->net, ipv4, port) == PORT_FAILED) fail_reaching(connection, now_ms);
}

static void resolve(struct connection* connection, uint64_t now_ms) {
  snprintf(connection->question, sizeof connection->question, "%s",
           deviations_question(connection->deviations, connection->endpoint));
  const struct port_net_answer* known = name_cache_get(&connection->names, connection->question, now_ms);
  if (known != NULL) {
    connection->ipv4 = known->ipv4;
    reach(connection, now_ms);
    return;
  }
  uint32_t server_ipv4 = 0;
  settings_parse_ipv4(connection->settings->resolver, &server_ipv4);
  enter(connection, CONNECTION_RESOLVING, now_ms);
  if (port_net_resolve_start(connection->net, connection->question, server_ipv4) == PORT_FAILED) {
    fail_reaching(connection, now_ms);
  }
}

static void begin_attempt(struct connection* connection, uint64_t now_ms) {
  const struct settings* settings = connection->settings;
  snprintf(connection->endpoint, sizeof connection->endpoint, "%s",
           deviations_endpoint(connection->deviations, settings));
  console_tell(connection->console, "CONNECTING", connection->endpoint);
  connection->told_what_is_missing = false;
  if (settings_parse_ipv4(settings->connect_address, &connection->ipv4)) {
    reach(connection, now_ms);
    return;
  }
  resolve(connection, now_ms);
}

static void step_resolving(struct connection* connection, uint64_t now_ms) {
  struct port_net_answer answer;
  const enum port_result result = port_net_resolve_poll(connection->net, &answer);
  if (result == PORT_FAILED) fail_reaching(connection, now_ms);
  if (result != PORT_OK) return;
  deviations_on_answer(connection->deviations, &answer);
  name_cache_put(&connection->names, connection->question, &answer, now_ms);
  connection->ipv4 = answer.ipv4;
  reach(connection, now_ms);
}

static void begin_handshake(struct connection* connection, uint64_t now_ms) {
  const struct settings* settings = connection->settings;
  struct deviations* deviations = connection->deviations;
  if (!deviations_speak_tls(deviations)) {
    fail(connection, CONNECTION_END_BROKEN, "closed after TCP", now_ms);
    return;
  }
  const struct port_tls_config config = {
      .server_name = deviations_server_name(deviations, connection->endpoint, connection->address),
      .protocol = deviations_protocol(deviations, settings->port),
      .verify_chain = deviations_verify_chain(deviations),
      .verify_name = deviations_verify_name(deviations, connection->endpoint),
      .trust_anchors = settings->root_ca,
      .certificates = deviations_certificates(deviations, settings),
      .private_key = deviations_signing_key(deviations, settings->key),
      .transport = {connection, send_record, receive_record},
  };
  deviations_on_hello(deviations);
  connection->hello_is_out = false;
  enter(connection, CONNECTION_HANDSHAKING, now_ms);
  if (port_tls_start(connection->tls, &config) == PORT_FAILED) fail_tls(connection, now_ms);
}

static void step_reaching(struct connection* connection, uint64_t now_ms) {
  const enum port_result result = port_net_connect_poll(connection->net);
  if (result == PORT_OK) begin_handshake(connection, now_ms);
  if (result == PORT_FAILED) fail_reaching(connection, now_ms);
}

static void step_handshaking(struct connection* connection, uint64_t now_ms) {
  const enum port_result result = port_tls_handshake(connection->tls);
  if (result == PORT_AGAIN) return;
  if (result != PORT_OK) {
    fail_tls(connection, now_ms);
    return;
  }
  const struct mqtt_connect connect = {
      .client_id = connection->settings->thing_name,
      .keep_alive_s = (uint16_t)connection->settings->keep_alive_s,
      .reserved_flag = deviations_reserved_flag(connection->deviations),
  };
  enter(connection, CONNECTION_GREETING, now_ms);
  session_begin(&connection->session, &connect, connection->settings->connect_timeout_ms, now_ms);
  send_output(connection, now_ms);
}

// The session ------------------------------------------------------------------------------------------------------

static void on_accepted(struct connection* connection, uint64_t now_ms) {
  connection->state = CONNECTION_SERVED;
  connection->served_since_ms = now_ms;
  connection->next_count_ms = now_ms;
  connection->counted_before = connection->count;
  deviations_on_served(connection->deviations, connection->endpoint);
  console_tell(connection->console, "CONNECTED", connection->endpoint);
}

// False when the connection is over.
static bool on_event(struct connection* connection, enum session_event event, uint64_t now_ms) {
  char reason[REASON_BYTES];
  switch (event) {
    case SESSION_GOES_ON:
      return true;
    case SESSION_ACCEPTED:
      on_accepted(connection, now_ms);
      return true;
    case SESSION_REFUSED:
      snprintf(reason, sizeof reason, "CONNACK with return code %u", connection->session.return_code);
      fail(connection, CONNECTION_END_REFUSED, reason, now_ms);
      return false;
    case SESSION_BROKEN:
      break;
  }
  snprintf(reason, sizeof reason, "MQTT: %s", connection->session.error);
  fail(connection, CONNECTION_END_BROKEN, reason, now_ms);
  return false;
}

static bool receive_input(struct connection* connection, uint64_t now_ms) {
  uint8_t input[2048];
  for (int i = 0; i < READS_PER_STEP; i++) {
    size_t received = 0;
    const enum port_result result = port_tls_read(connection->tls, input, sizeof input, &received);
    if (result == PORT_AGAIN) return true;
    if (result != PORT_OK) {
      fail_tls(connection, now_ms);
      return false;
    }
    for (size_t at = 0; at < received;) {
      size_t taken = 0;
      const enum session_event event = session_receive(&connection->session, input + at, received - at, now_ms, &taken);
      at += taken;
      if (!on_event(connection, event, now_ms)) return false;
    }
  }
  return true;
}

// A counter on Topic1, the next one once the one before it is acknowledged.
static void publish_count(struct connection* connection, uint64_t now_ms) {
  const struct settings* settings = connection->settings;
  if (settings->publish_period_ms == 0 || settings->topic1[0] == '\0' || now_ms < connection->next_count_ms) return;
  if (session_waits(&connection->session, SESSION_COUNTER)) return;
  if (deviations_turn_off(connection->deviations, connection->count - connection->counted_before)) {
    connection_stop(connection, "flush", now_ms);
    return;
  }
  char payload[16 + IDENTITY_KEY_TEXT_BYTES];
  int length = snprintf(payload, 16, "%lu", (unsigned long)connection->count + 1);
  if (deviations_publish_key(connection->deviations)) {
    payload[length++] = ' ';
    identity_key_text(settings->key, payload + length);
    length += IDENTITY_KEY_TEXT_BYTES - 1;
  }
  if (!session_publish(&connection->session, SESSION_COUNTER, settings->topic1, payload, (size_t)length)) return;
  connection->count++;
  connection->next_count_ms = now_ms + settings->publish_period_ms;
}

static void step_session(struct connection* connection, uint64_t now_ms) {
  if (!receive_input(connection, now_ms)) return;
  if (connection->state == CONNECTION_SERVED) publish_count(connection, now_ms);
  if (!is_open(connection)) return;
  if (!on_event(connection, session_poll(&connection->session, now_ms), now_ms)) return;
  send_output(connection, now_ms);
}

static void step_once(struct connection* connection, uint64_t now_ms) {
  switch (connection->state) {
    case CONNECTION_IDLE:
    case CONNECTION_WAITING:
      if (!may_attempt(connection)) {
        connection->state = CONNECTION_IDLE;
      } else if (connection->state == CONNECTION_IDLE || now_ms >= connection->deadline_ms) {
        begin_attempt(connection, now_ms);
      }
      return;
    case CONNECTION_RESOLVING:
      step_resolving(connection, now_ms);
      return;
    case CONNECTION_REACHING:
      step_reaching(connection, now_ms);
      return;
    case CONNECTION_HANDSHAKING:
      step_handshaking(connection, now_ms);
      return;
    case CONNECTION_GREETING:
    case CONNECTION_SERVED:
      step_session(connection, now_ms);
      return;
  }
}

void connection_step(struct connection* connection, uint64_t now_ms) {
  enum connection_state before;
  do {  // a state that is done with leads to the next without a wait between
    before = connection->state;
    step_once(connection, now_ms);
  } while (connection->state != before && is_open(connection));
  const bool in_time = connection->state == CONNECTION_SERVED || now_ms < connection->deadline_ms;
  if (is_open(connection) && !in_time) fail_in_time(connection, now_ms);
}

// Waiting ----------------------------------------------------------------------------------------------------------

struct port_interest connection_interest(const struct connection* connection) {
  struct port_interest interest = {0};
  switch (connection->state) {
    case CONNECTION_IDLE:
    case CONNECTION_WAITING:
      break;
    case CONNECTION_RESOLVING:
      interest.net_input = true;
      break;
    case CONNECTION_REACHING:
      interest.net_output = true;
      break;
    case CONNECTION_HANDSHAKING:
    case CONNECTION_GREETING:
    case CONNECTION_SERVED:
      interest.net_input = true;
      interest.net_output = port_tls_wants_output(connection->tls);
      break;
  }
  return interest;
}

uint64_t connection_next_ms(const struct connection* connection) {
  if (connection->state == CONNECTION_IDLE) return UINT64_MAX;
  if (connection->state != CONNECTION_SERVED) return connection->deadline_ms;
  if (port_tls_has_input(connection->tls)) return 0;
  const uint64_t session_ms = session_next_ms(&connection->session);
  const bool counts = connection->settings->publish_period_ms != 0 && connection->settings->topic1[0] != '\0' &&
                      !session_waits(&connection->session, SESSION_COUNTER);
  return counts && connection->next_count_ms < session_ms ? connection->next_count_ms : session_ms;
}
