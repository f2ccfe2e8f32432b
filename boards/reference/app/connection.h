// The connection to the endpoint: name, TCP, TLS, MQTT, and again after a while whatever happened. Never blocks.
#ifndef BOARDS_REFERENCE_APP_CONNECTION_H
#define BOARDS_REFERENCE_APP_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "app/backoff.h"
#include "app/console.h"
#include "app/deviations.h"
#include "app/name_cache.h"
#include "app/session.h"
#include "app/settings.h"
#include "port/port_net.h"
#include "port/port_system.h"
#include "port/port_tls.h"

#ifdef __cplusplus
extern "C" {
#endif

enum connection_state {
  CONNECTION_IDLE,     // not wished, or something that it needs is not set
  CONNECTION_WAITING,  // for the next attempt
  CONNECTION_RESOLVING,
  CONNECTION_REACHING,     // TCP
  CONNECTION_HANDSHAKING,  // TLS
  CONNECTION_GREETING,     // CONNECT is on its way
  CONNECTION_SERVED,
};

struct connection {
  // Given, and not owned.
  struct port_net* net;
  struct port_tls* tls;
  struct console* console;
  const struct settings* settings;
  struct deviations* deviations;

  enum connection_state state;
  uint64_t deadline_ms;  // of the state, except of IDLE and SERVED
  uint64_t served_since_ms;
  struct backoff backoff;
  bool hello_is_out;
  bool told_what_is_missing;
  struct name_cache names;
  char question[SETTINGS_ENDPOINT_BYTES];  // the name that is asked for
  uint32_t ipv4;
  char address[SETTINGS_ADDRESS_BYTES];
  char endpoint[SETTINGS_ENDPOINT_BYTES];  // of this attempt
  uint64_t next_count_ms;
  uint32_t count;
  uint32_t counted_before;  // when this connection was served
  struct session session;
};

void connection_init(struct connection* connection, struct port_net* net, struct port_tls* tls, struct console* console,
                     const struct settings* settings, struct deviations* deviations);

// Does what can be done now.
void connection_step(struct connection* connection, uint64_t now_ms);

// What the next step waits for.
struct port_interest connection_interest(const struct connection* connection);
uint64_t connection_next_ms(const struct connection* connection);

bool connection_is_served(const struct connection* connection);

// Ends it in good order: DISCONNECT, close_notify, FIN.
void connection_stop(struct connection* connection, const char* reason, uint64_t now_ms);

// Ends it likewise, and makes another at once, with the back-off as new: where it leads to was changed. Messages that
// still wait for their acknowledgement are dropped when they were for another endpoint.
void connection_restart(struct connection* connection, bool other_endpoint, const char* reason, uint64_t now_ms);

#ifdef __cplusplus
}
#endif
#endif
