// One TLS 1.2 or 1.3 client connection over octets that the caller moves. Nothing here blocks.
//
// Made to fit libraries with send and receive callbacks and caller-owned contexts. `struct port_tls` has a fixed size,
// that of the port; what the library behind it allocates is released by port_tls_stop().
#ifndef BOARDS_REFERENCE_PORT_PORT_TLS_H
#define BOARDS_REFERENCE_PORT_PORT_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "port/port_crypto.h"
#include "port/port_result.h"

#ifdef __cplusplus
extern "C" {
#endif

// Where the records go to and come from; answers as port_net_send() and port_net_receive() do.
struct port_tls_transport {
  void* context;
  enum port_result (*send)(void* context, const uint8_t* bytes, size_t size_bytes, size_t* sent_bytes);
  enum port_result (*receive)(void* context, uint8_t* bytes, size_t size_bytes, size_t* received_bytes);
};

enum { PORT_TLS_PROTOCOL_BYTES = 31 };

// The texts must stay as they are until port_tls_start() returns.
struct port_tls_config {
  const char* server_name;     // sent as host_name (RFC 6066 §3); NULL: no such extension
  bool verify_chain;           // to the anchors below
  const char* protocol;        // offered by ALPN (RFC 7301), at most PORT_TLS_PROTOCOL_BYTES; NULL: no such extension
  const char* verify_name;     // the server's certificate must be for it (RFC 9525 §6); NULL: not looked at
  const char* trust_anchors;   // PEM, one or more
  const char* certificates;    // PEM: our own, then what follows it, sent in this order; NULL: none is presented
  const uint8_t* private_key;  // signs CertificateVerify; the public half is taken from our certificate
  struct port_tls_transport transport;
};

// How a connection came to an end that was not asked for.
enum port_tls_end {
  PORT_TLS_END_NONE,
  PORT_TLS_END_CLOSED,      // close_notify or the end of the stream
  PORT_TLS_END_ALERT,       // the server sent a fatal alert
  PORT_TLS_END_UNVERIFIED,  // we refused the server's certificate
  PORT_TLS_END_TRANSPORT,   // the octets below stopped
  PORT_TLS_END_OTHER,
};

struct port_tls;

// PORT_OK: go on with the handshake. PORT_FAILED: the library would not take the configuration.
enum port_result port_tls_start(struct port_tls* tls, const struct port_tls_config* config);
enum port_result port_tls_handshake(struct port_tls* tls);

// PORT_OK with at least one byte moved, PORT_AGAIN, PORT_CLOSED, PORT_FAILED. A write that answered PORT_AGAIN is
// tried again with the same bytes first.
enum port_result port_tls_write(struct port_tls* tls, const uint8_t* bytes, size_t size_bytes, size_t* sent_bytes);
enum port_result port_tls_read(struct port_tls* tls, uint8_t* bytes, size_t size_bytes, size_t* received_bytes);

// True if the last PORT_AGAIN waits for room to send, not for input.
bool port_tls_wants_output(const struct port_tls* tls);

// True if input was taken from the transport that port_tls_read() has not handed out: no port_wait() tells of it.
bool port_tls_has_input(const struct port_tls* tls);

// Sends close_notify if there is room for it now (RFC 8446 §6.1). Waits for no answer.
void port_tls_close(struct port_tls* tls);

// Releases all; harmless when not started.
void port_tls_stop(struct port_tls* tls);

enum port_tls_end port_tls_ended_by(const struct port_tls* tls);
// The code of the server's fatal alert (RFC 8446 §6); 0 if it sent none, which is also close_notify's.
unsigned port_tls_alert(const struct port_tls* tls);
// One line of text on how it ended.
const char* port_tls_error(const struct port_tls* tls);

#ifdef __cplusplus
}
#endif
#endif
