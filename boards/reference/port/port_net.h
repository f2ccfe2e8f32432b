// Names and one TCP connection over IPv4. Nothing here blocks: start, then poll between port_wait() calls.
#ifndef BOARDS_REFERENCE_PORT_PORT_NET_H
#define BOARDS_REFERENCE_PORT_PORT_NET_H

#include <stddef.h>
#include <stdint.h>

#include "port/port_result.h"

#ifdef __cplusplus
extern "C" {
#endif

struct port_net;

enum { PORT_NET_NAME_BYTES = 256 };

struct port_net_answer {
  uint32_t ipv4;                             // in host byte order
  uint32_t ttl_s;                            // for how long it holds (RFC 1035 §3.2.1); 0: for now
  char canonical_name[PORT_NET_NAME_BYTES];  // where a CNAME led to; empty: there was none
};

// Asks the name server at `server_ipv4` (0: whomever the system asks) for the IPv4 address of `name`. A question asked
// before is dropped.
enum port_result port_net_resolve_start(struct port_net* net, const char* name, uint32_t server_ipv4);
// PORT_OK with the answer, PORT_AGAIN, or PORT_FAILED.
enum port_result port_net_resolve_poll(struct port_net* net, struct port_net_answer* answer);

// Opens a connection; one that was open before is closed. PORT_AGAIN means: poll.
enum port_result port_net_connect_start(struct port_net* net, uint32_t ipv4, uint16_t port);
enum port_result port_net_connect_poll(struct port_net* net);

// PORT_OK with at least one byte moved, PORT_AGAIN, PORT_CLOSED (receive only), PORT_FAILED.
enum port_result port_net_send(struct port_net* net, const uint8_t* bytes, size_t size_bytes, size_t* sent_bytes);
enum port_result port_net_receive(struct port_net* net, uint8_t* bytes, size_t size_bytes, size_t* received_bytes);

// Ends the connection, and any question, in good order: what was sent still arrives. Harmless when there is none.
void port_net_close(struct port_net* net);

// Forgets the connection without ending it: the other side goes on believing in it.
void port_net_abandon(struct port_net* net);

// Why the last call answered PORT_FAILED.
const char* port_net_error(const struct port_net* net);

#ifdef __cplusplus
}
#endif
#endif
