// TLS 1.2 client on mbedTLS 2.28. (It speaks no TLS 1.3.)
#include <mbedtls/error.h>
#include <mbedtls/net_sockets.h>
#include <mbedtls/ssl.h>
#include <stdio.h>
#include <string.h>

#include "port/mbedtls/keys.h"
#include "port/mbedtls/port_tls_types.h"
#include "port/port_tls.h"
#include "port/tls_alerts.h"

static void note_end(struct port_tls* tls, enum port_tls_end end, const char* what, const char* detail) {
  if (tls->end != PORT_TLS_END_NONE) return;  // the first cause is the one to tell
  tls->end = end;
  snprintf(tls->error, sizeof tls->error, "%s%s", what, detail);
}

// The transport ----------------------------------------------------------------------------------------------------

static int send_octets(void* context, const unsigned char* bytes, size_t size_bytes) {
  struct port_tls* tls = context;
  size_t sent = 0;
  const enum port_result result = tls->transport.send(tls->transport.context, bytes, size_bytes, &sent);
  if (result == PORT_OK) return (int)sent;
  return result == PORT_AGAIN ? MBEDTLS_ERR_SSL_WANT_WRITE : MBEDTLS_ERR_NET_SEND_FAILED;
}

static int receive_octets(void* context, unsigned char* bytes, size_t size_bytes) {
  struct port_tls* tls = context;
  size_t received = 0;
  const enum port_result result = tls->transport.receive(tls->transport.context, bytes, size_bytes, &received);
  if (result == PORT_OK) return (int)received;
  if (result == PORT_AGAIN) return MBEDTLS_ERR_SSL_WANT_READ;
  if (result == PORT_CLOSED) {
    note_end(tls, PORT_TLS_END_CLOSED, "closed by the server", "");
    return 0;
  }
  note_end(tls, PORT_TLS_END_TRANSPORT, "the connection broke", "");
  return MBEDTLS_ERR_NET_RECV_FAILED;
}

// Start ------------------------------------------------------------------------------------------------------------

// Forward secrecy and GCM: what every endpoint offers, and none that makes an MCU reckon with large integers.
static const int cipher_suites[] = {
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    0,
};

static void init_objects(struct port_tls* tls) {
  mbedtls_ssl_config_init(&tls->config);
  mbedtls_ssl_init(&tls->session);
  mbedtls_x509_crt_init(&tls->anchors);
  mbedtls_x509_crt_init(&tls->chain);
  mbedtls_pk_init(&tls->key);
  tls->started = true;
}

static bool load_texts(mbedtls_x509_crt* certificates, const char* pem) {
  return mbedtls_x509_crt_parse(certificates, (const unsigned char*)pem, strlen(pem) + 1) == 0;
}

static bool set_config(struct port_tls* tls, bool verify_chain, bool has_certificate) {
  mbedtls_ssl_config* config = &tls->config;
  if (mbedtls_ssl_config_defaults(config, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
                                  MBEDTLS_SSL_PRESET_DEFAULT) != 0) {
    return false;
  }
  mbedtls_ssl_conf_min_version(config, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
  mbedtls_ssl_conf_ciphersuites(config, cipher_suites);
  mbedtls_ssl_conf_session_tickets(config, MBEDTLS_SSL_SESSION_TICKETS_DISABLED);
  mbedtls_ssl_conf_rng(config, keys_random, NULL);
  mbedtls_ssl_conf_authmode(config, verify_chain ? MBEDTLS_SSL_VERIFY_REQUIRED : MBEDTLS_SSL_VERIFY_NONE);
  mbedtls_ssl_conf_ca_chain(config, &tls->anchors, NULL);
  return !has_certificate || mbedtls_ssl_conf_own_cert(config, &tls->chain, &tls->key) == 0;
}

// The library keeps the list and its texts for as long as it is configured so.
static bool offer_protocol(struct port_tls* tls, const char* protocol) {
  if (protocol == NULL) return true;
  if (strlen(protocol) >= sizeof tls->protocol) return false;
  snprintf(tls->protocol, sizeof tls->protocol, "%s", protocol);
  tls->protocols[0] = tls->protocol;
  return mbedtls_ssl_conf_alpn_protocols(&tls->config, tls->protocols) == 0;
}

enum port_result port_tls_start(struct port_tls* tls, const struct port_tls_config* config) {
  port_tls_stop(tls);
  memset(tls, 0, sizeof *tls);
  tls->transport = config->transport;
  tls->checks_name = config->verify_name != NULL;
  if (tls->checks_name) snprintf(tls->verify_name, sizeof tls->verify_name, "%s", config->verify_name);
  init_objects(tls);
  if (!load_texts(&tls->anchors, config->trust_anchors)) {
    note_end(tls, PORT_TLS_END_OTHER, "the trust anchor cannot be used", "");
  } else if (config->certificates != NULL &&
             (!load_texts(&tls->chain, config->certificates) || !keys_load(&tls->key, config->private_key))) {
    note_end(tls, PORT_TLS_END_OTHER, "certificate and key cannot be used", "");
  } else if (!set_config(tls, config->verify_chain, config->certificates != NULL) ||
             !offer_protocol(tls, config->protocol) || mbedtls_ssl_setup(&tls->session, &tls->config) != 0 ||
             mbedtls_ssl_set_hostname(&tls->session, config->server_name) != 0) {
    note_end(tls, PORT_TLS_END_OTHER, "the TLS session cannot be set up", "");
  }
  if (tls->end != PORT_TLS_END_NONE) return PORT_FAILED;
  mbedtls_ssl_set_bio(&tls->session, tls, send_octets, receive_octets, NULL);
  return PORT_OK;
}

// Ends -------------------------------------------------------------------------------------------------------------

static const char* refusal_text(uint32_t flags) {
  if ((flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED) != 0) return "the certificate leads to no trust anchor";
  if ((flags & MBEDTLS_X509_BADCERT_CN_MISMATCH) != 0) return "hostname mismatch";
  if ((flags & MBEDTLS_X509_BADCERT_EXPIRED) != 0) return "certificate has expired";
  if ((flags & MBEDTLS_X509_BADCERT_FUTURE) != 0) return "certificate is not yet valid";
  if ((flags & (MBEDTLS_X509_BADCERT_KEY_USAGE | MBEDTLS_X509_BADCERT_EXT_KEY_USAGE)) != 0) {
    return "the certificate is not for a server";
  }
  if ((flags & (MBEDTLS_X509_BADCERT_BAD_MD | MBEDTLS_X509_BADCERT_BAD_PK | MBEDTLS_X509_BADCERT_BAD_KEY)) != 0) {
    return "the certificate's key or hash is too weak";
  }
  return "certificate not valid";
}

static void note_alert(struct port_tls* tls, int alert) {
  tls->alert = (unsigned)alert;
  char detail[64];
  snprintf(detail, sizeof detail, "%s (%d)", tls_alert_name(alert), alert);
  note_end(tls, PORT_TLS_END_ALERT, "the server sent the alert ", detail);
}

// The library sends each message of the handshake on its own, so a server can refuse the first and be gone before the
// last. What it said is there still, and in the clear, as it has not sent its ChangeCipherSpec.
static void note_broken_sending(struct port_tls* tls) {
  enum { ALERT_RECORD_BYTES = 7, KIND_AT = 0, LENGTH_AT = 3, LEVEL_AT = 5, NAME_AT = 6 };
  uint8_t record[ALERT_RECORD_BYTES];
  size_t taken = 0;
  size_t received = 0;
  while (!tls->established && taken < sizeof record &&
         tls->transport.receive(tls->transport.context, record + taken, sizeof record - taken, &received) == PORT_OK) {
    taken += received;
  }
  if (taken == sizeof record && record[KIND_AT] == MBEDTLS_SSL_MSG_ALERT && record[LENGTH_AT] == 0 &&
      record[LENGTH_AT + 1] == 2 && record[LEVEL_AT] == MBEDTLS_SSL_ALERT_LEVEL_FATAL) {
    note_alert(tls, record[NAME_AT]);
  }
  note_end(tls, PORT_TLS_END_TRANSPORT, "the connection broke while sending", "");
}

static void note_library_error(struct port_tls* tls, int error) {
  char detail[64];
  switch (error) {
    case MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY:
    case MBEDTLS_ERR_SSL_CONN_EOF:
      note_end(tls, PORT_TLS_END_CLOSED, "closed by the server", "");
      return;
    case MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE:
      note_alert(tls, tls->session.in_msg[1]);
      return;
    case MBEDTLS_ERR_NET_SEND_FAILED:
      note_broken_sending(tls);
      return;
    case MBEDTLS_ERR_X509_CERT_VERIFY_FAILED:
      note_end(tls, PORT_TLS_END_UNVERIFIED,
               "server certificate refused: ", refusal_text(mbedtls_ssl_get_verify_result(&tls->session)));
      return;
    default:
      snprintf(detail, sizeof detail, "mbedTLS error -0x%04X", (unsigned)-error);
      note_end(tls, PORT_TLS_END_OTHER, "TLS: ", detail);
  }
}

// What mbedTLS' answer means for the caller.
static enum port_result result_of(struct port_tls* tls, int answer) {
  tls->wants_output = answer == MBEDTLS_ERR_SSL_WANT_WRITE;
  if (answer >= 0) return PORT_OK;
  if (answer == MBEDTLS_ERR_SSL_WANT_READ || answer == MBEDTLS_ERR_SSL_WANT_WRITE) return PORT_AGAIN;
  note_library_error(tls, answer);
  return tls->end == PORT_TLS_END_CLOSED ? PORT_CLOSED : PORT_FAILED;
}

// Running ----------------------------------------------------------------------------------------------------------

// The library has one name for server_name and for the check of the certificate. The ClientHello is made: from here on
// it is the one to check.
static int expect_name(struct port_tls* tls) {
  if (tls->expects_name || tls->session.state <= MBEDTLS_SSL_CLIENT_HELLO) return 0;
  tls->expects_name = true;
  return mbedtls_ssl_set_hostname(&tls->session, tls->checks_name ? tls->verify_name : NULL);
}

enum port_result port_tls_handshake(struct port_tls* tls) {
  int answer = 0;
  while (answer == 0 && tls->session.state != MBEDTLS_SSL_HANDSHAKE_OVER) {
    answer = mbedtls_ssl_handshake_step(&tls->session);
    const int named = expect_name(tls);
    if (named != 0) answer = named;
  }
  const enum port_result result = result_of(tls, answer);
  if (result == PORT_OK) tls->established = true;
  return result;
}

enum port_result port_tls_write(struct port_tls* tls, const uint8_t* bytes, size_t size_bytes, size_t* sent_bytes) {
  *sent_bytes = 0;
  // While a record waits the library only goes on sending it, and answers any size as sent: it must be the record's.
  const size_t tried_bytes = tls->unsent_record_bytes != 0 ? tls->unsent_record_bytes : size_bytes;
  const int answer = mbedtls_ssl_write(&tls->session, bytes, tried_bytes);
  tls->unsent_record_bytes = answer == MBEDTLS_ERR_SSL_WANT_WRITE ? tried_bytes : 0;
  if (answer > 0) *sent_bytes = (size_t)answer;
  return result_of(tls, answer);
}

enum port_result port_tls_read(struct port_tls* tls, uint8_t* bytes, size_t size_bytes, size_t* received_bytes) {
  *received_bytes = 0;
  const int answer = mbedtls_ssl_read(&tls->session, bytes, size_bytes);
  if (answer > 0) *received_bytes = (size_t)answer;
  return result_of(tls, answer == 0 ? MBEDTLS_ERR_SSL_CONN_EOF : answer);
}

bool port_tls_wants_output(const struct port_tls* tls) { return tls->wants_output; }

bool port_tls_has_input(const struct port_tls* tls) {
  return tls->started && mbedtls_ssl_check_pending(&tls->session) != 0;
}

void port_tls_close(struct port_tls* tls) {
  if (!tls->started || !tls->established || tls->end != PORT_TLS_END_NONE) return;
  mbedtls_ssl_close_notify(&tls->session);
}

void port_tls_stop(struct port_tls* tls) {
  if (!tls->started) return;
  mbedtls_ssl_free(&tls->session);
  mbedtls_ssl_config_free(&tls->config);
  mbedtls_x509_crt_free(&tls->anchors);
  mbedtls_x509_crt_free(&tls->chain);
  mbedtls_pk_free(&tls->key);
  tls->started = false;
}

enum port_tls_end port_tls_ended_by(const struct port_tls* tls) { return tls->end; }

unsigned port_tls_alert(const struct port_tls* tls) { return tls->alert; }

const char* port_tls_error(const struct port_tls* tls) { return tls->error; }
