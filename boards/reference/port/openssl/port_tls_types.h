// struct port_tls on OpenSSL, for whoever owns it (main.c).
#ifndef BOARDS_REFERENCE_PORT_OPENSSL_PORT_TLS_TYPES_H
#define BOARDS_REFERENCE_PORT_OPENSSL_PORT_TLS_TYPES_H

#include <openssl/bio.h>
#include <openssl/ssl.h>
#include <stdbool.h>

#include "port/port_tls.h"

struct port_tls {
  SSL_CTX* context;  // NULL: not started
  SSL* session;
  BIO_METHOD* transport_method;
  struct port_tls_transport transport;
  enum port_tls_end end;
  unsigned alert;  // the server's fatal one
  bool wants_output;
  bool established;
  char error[160];
};

#endif
