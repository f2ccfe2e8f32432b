// struct port_tls on mbedTLS, for whoever owns it (main.c).
#ifndef BOARDS_REFERENCE_PORT_MBEDTLS_PORT_TLS_TYPES_H
#define BOARDS_REFERENCE_PORT_MBEDTLS_PORT_TLS_TYPES_H

#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>
#include <stdbool.h>
#include <stddef.h>

#include "port/port_tls.h"

struct port_tls {
  bool started;  // the objects below are the library's
  mbedtls_ssl_config config;
  mbedtls_ssl_context session;
  mbedtls_x509_crt anchors;
  mbedtls_x509_crt chain;
  mbedtls_pk_context key;
  struct port_tls_transport transport;
  enum port_tls_end end;
  unsigned alert;  // the server's fatal one
  bool wants_output;
  bool established;
  bool expects_name;           // the session knows by now which name the server's certificate must have
  bool checks_name;            // it must have one
  size_t unsent_record_bytes;  // of the write that answered PORT_AGAIN
  char protocol[PORT_TLS_PROTOCOL_BYTES + 1];
  const char* protocols[2];  // the one above and a NULL, or a NULL
  char verify_name[MBEDTLS_SSL_MAX_HOST_NAME_LEN + 1];
  char error[160];
};

#endif
