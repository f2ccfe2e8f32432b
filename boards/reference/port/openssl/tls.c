// TLS client on OpenSSL 3, over a BIO that hands the records to the caller's transport.
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#include "port/openssl/openssl_keys.h"
#include "port/openssl/port_tls_types.h"
#include "port/port_tls.h"
#include "port/tls_alerts.h"

static void note_end(struct port_tls* tls, enum port_tls_end end, const char* what, const char* detail) {
  if (tls->end != PORT_TLS_END_NONE) return;  // the first cause is the one to tell
  tls->end = end;
  snprintf(tls->error, sizeof tls->error, "%s%s", what, detail);
}

static int transport_write(BIO* bio, const char* bytes, int size_bytes) {
  struct port_tls* tls = BIO_get_data(bio);
  BIO_clear_retry_flags(bio);
  size_t sent = 0;
  const enum port_result result =
      tls->transport.send(tls->transport.context, (const uint8_t*)bytes, (size_t)size_bytes, &sent);
  if (result == PORT_OK) return (int)sent;
  if (result == PORT_AGAIN) BIO_set_retry_write(bio);
  if (result == PORT_FAILED) note_end(tls, PORT_TLS_END_TRANSPORT, "the connection broke while sending", "");
  return -1;
}

static int transport_read(BIO* bio, char* bytes, int size_bytes) {
  struct port_tls* tls = BIO_get_data(bio);
  BIO_clear_retry_flags(bio);
  size_t received = 0;
  const enum port_result result =
      tls->transport.receive(tls->transport.context, (uint8_t*)bytes, (size_t)size_bytes, &received);
  if (result == PORT_OK) return (int)received;
  if (result == PORT_AGAIN) BIO_set_retry_read(bio);
  if (result == PORT_FAILED) note_end(tls, PORT_TLS_END_TRANSPORT, "the connection broke", "");
  if (result == PORT_CLOSED) note_end(tls, PORT_TLS_END_CLOSED, "closed by the server", "");
  return result == PORT_CLOSED ? 0 : -1;
}

static long transport_control(BIO* bio, int command, long number, void* pointer) {
  (void)bio;
  (void)number;
  (void)pointer;
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

static BIO* make_transport(struct port_tls* tls) {
  // BIO_get_new_index() would run out after some hundred connections; the first number for others serves as well.
  tls->transport_method = BIO_meth_new(BIO_TYPE_SOURCE_SINK | BIO_TYPE_START, "port transport");
  if (tls->transport_method == NULL) return NULL;
  BIO_meth_set_write(tls->transport_method, transport_write);
  BIO_meth_set_read(tls->transport_method, transport_read);
  BIO_meth_set_ctrl(tls->transport_method, transport_control);
  BIO* bio = BIO_new(tls->transport_method);
  if (bio == NULL) return NULL;
  BIO_set_data(bio, tls);
  BIO_set_init(bio, 1);
  return bio;
}

static void on_info(const SSL* session, int where, int value) {
  if ((where & SSL_CB_READ_ALERT) != SSL_CB_READ_ALERT || (value >> 8) != SSL3_AL_FATAL) return;
  struct port_tls* tls = SSL_get_app_data(session);
  tls->alert = (unsigned)value & 0xff;
  char detail[64];
  snprintf(detail, sizeof detail, "%s (%d)", tls_alert_name(value & 0xff), value & 0xff);
  note_end(tls, PORT_TLS_END_ALERT, "the server sent the alert ", detail);
}

static int load_anchors(SSL_CTX* context, const char* pem) {
  BIO* text = BIO_new_mem_buf(pem, -1);
  X509_STORE* store = SSL_CTX_get_cert_store(context);
  int loaded = 0;
  X509* anchor;
  while (text != NULL && (anchor = PEM_read_bio_X509(text, NULL, NULL, NULL)) != NULL) {
    loaded += X509_STORE_add_cert(store, anchor) == 1;
    X509_free(anchor);
  }
  BIO_free(text);
  ERR_clear_error();
  return loaded > 0;
}

static int use_key(SSL_CTX* context, X509* leaf, const uint8_t* private_key) {
  uint8_t point[OPENSSL_P256_POINT_BYTES];
  if (!openssl_point_of(X509_get0_pubkey(leaf), point)) return 0;
  EVP_PKEY* key = openssl_key_pair(private_key, point);
  const int used = key != NULL && SSL_CTX_use_PrivateKey(context, key) == 1;
  EVP_PKEY_free(key);
  return used;
}

static int load_identity(SSL_CTX* context, const char* pem, const uint8_t* private_key) {
  BIO* text = BIO_new_mem_buf(pem, -1);
  X509* leaf = text == NULL ? NULL : PEM_read_bio_X509(text, NULL, NULL, NULL);
  int loaded = leaf != NULL && SSL_CTX_use_certificate(context, leaf) == 1 && use_key(context, leaf, private_key);
  X509* next;
  while (loaded && (next = PEM_read_bio_X509(text, NULL, NULL, NULL)) != NULL) {
    loaded = SSL_CTX_add0_chain_cert(context, next) == 1;
    if (!loaded) X509_free(next);
  }
  X509_free(leaf);
  BIO_free(text);
  ERR_clear_error();
  return loaded;
}

static int set_verification(struct port_tls* tls, const struct port_tls_config* config) {
  if (!config->verify_chain) {
    SSL_set_verify(tls->session, SSL_VERIFY_NONE, NULL);
    return 1;
  }
  SSL_set_verify(tls->session, SSL_VERIFY_PEER, NULL);
  if (config->verify_name == NULL) return 1;
  SSL_set_hostflags(tls->session, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  return SSL_set1_host(tls->session, config->verify_name);
}

static int offer_protocol(SSL* session, const char* protocol) {
  if (protocol == NULL) return 1;
  unsigned char list[1 + PORT_TLS_PROTOCOL_BYTES];
  const size_t length = strlen(protocol);
  if (length > PORT_TLS_PROTOCOL_BYTES) return 0;
  list[0] = (unsigned char)length;
  memcpy(list + 1, protocol, length);
  return SSL_set_alpn_protos(session, list, 1 + (unsigned)length) == 0;  // as OpenSSL has it here: 0 is success
}

static int make_context(struct port_tls* tls) {
  // No configuration file of the machine that we run on has a say.
  if (OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1) return 0;
  tls->context = SSL_CTX_new(TLS_client_method());
  if (tls->context == NULL) return 0;
  SSL_CTX_set_security_level(tls->context, 2);
  SSL_CTX_set_session_cache_mode(tls->context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_mode(tls->context, SSL_MODE_NO_AUTO_CHAIN | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                     SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_info_callback(tls->context, on_info);
  return SSL_CTX_set_min_proto_version(tls->context, TLS1_2_VERSION) == 1;
}

enum port_result port_tls_start(struct port_tls* tls, const struct port_tls_config* config) {
  port_tls_stop(tls);
  memset(tls, 0, sizeof *tls);
  tls->transport = config->transport;
  if (!make_context(tls)) {
    note_end(tls, PORT_TLS_END_OTHER, "no TLS context", "");
  } else if (!load_anchors(tls->context, config->trust_anchors)) {
    note_end(tls, PORT_TLS_END_OTHER, "the trust anchor cannot be used", "");
  } else if (config->certificates != NULL && !load_identity(tls->context, config->certificates, config->private_key)) {
    note_end(tls, PORT_TLS_END_OTHER, "certificate and key cannot be used", "");
  } else if ((tls->session = SSL_new(tls->context)) == NULL || !set_verification(tls, config) ||
             !offer_protocol(tls->session, config->protocol) ||
             (config->server_name != NULL && SSL_set_tlsext_host_name(tls->session, config->server_name) != 1)) {
    note_end(tls, PORT_TLS_END_OTHER, "the TLS session cannot be set up", "");
  }
  BIO* transport = tls->end == PORT_TLS_END_NONE ? make_transport(tls) : NULL;
  if (transport == NULL) {
    note_end(tls, PORT_TLS_END_OTHER, "no memory", "");
    return PORT_FAILED;
  }
  SSL_set_bio(tls->session, transport, transport);
  SSL_set_app_data(tls->session, tls);
  SSL_set_connect_state(tls->session);
  return PORT_OK;
}

static void note_library_error(struct port_tls* tls) {
  const long verified = SSL_get_verify_result(tls->session);
  if (!tls->established && verified != X509_V_OK && SSL_get_verify_mode(tls->session) != SSL_VERIFY_NONE) {
    note_end(tls, PORT_TLS_END_UNVERIFIED, "server certificate refused: ", X509_verify_cert_error_string(verified));
    return;
  }
  const unsigned long error = ERR_peek_error();
  const char* reason = ERR_reason_error_string(error);
  if (ERR_GET_REASON(error) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
    note_end(tls, PORT_TLS_END_CLOSED, "closed by the server", "");
  }
  note_end(tls, PORT_TLS_END_OTHER, "TLS: ", reason == NULL ? "failed" : reason);
}

// What OpenSSL's answer `moved` means for the caller.
static enum port_result result_of(struct port_tls* tls, int moved) {
  if (moved > 0) return PORT_OK;
  const int error = SSL_get_error(tls->session, moved);
  tls->wants_output = error == SSL_ERROR_WANT_WRITE;
  if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return PORT_AGAIN;
  if (error == SSL_ERROR_ZERO_RETURN) note_end(tls, PORT_TLS_END_CLOSED, "closed by the server", "");
  note_library_error(tls);
  ERR_clear_error();
  return tls->end == PORT_TLS_END_CLOSED ? PORT_CLOSED : PORT_FAILED;
}

enum port_result port_tls_handshake(struct port_tls* tls) {
  ERR_clear_error();
  const enum port_result result = result_of(tls, SSL_do_handshake(tls->session));
  if (result == PORT_OK) tls->established = true;
  return result;
}

enum port_result port_tls_write(struct port_tls* tls, const uint8_t* bytes, size_t size_bytes, size_t* sent_bytes) {
  ERR_clear_error();
  *sent_bytes = 0;
  return result_of(tls, SSL_write_ex(tls->session, bytes, size_bytes, sent_bytes));
}

enum port_result port_tls_read(struct port_tls* tls, uint8_t* bytes, size_t size_bytes, size_t* received_bytes) {
  ERR_clear_error();
  *received_bytes = 0;
  return result_of(tls, SSL_read_ex(tls->session, bytes, size_bytes, received_bytes));
}

bool port_tls_wants_output(const struct port_tls* tls) { return tls->wants_output; }

bool port_tls_has_input(const struct port_tls* tls) { return tls->session != NULL && SSL_has_pending(tls->session); }

void port_tls_close(struct port_tls* tls) {
  if (tls->session == NULL || !tls->established || tls->end != PORT_TLS_END_NONE) return;
  ERR_clear_error();
  SSL_shutdown(tls->session);
  ERR_clear_error();
}

void port_tls_stop(struct port_tls* tls) {
  SSL_free(tls->session);
  SSL_CTX_free(tls->context);
  BIO_meth_free(tls->transport_method);
  tls->session = NULL;
  tls->context = NULL;
  tls->transport_method = NULL;
}

enum port_tls_end port_tls_ended_by(const struct port_tls* tls) { return tls->end; }

unsigned port_tls_alert(const struct port_tls* tls) { return tls->alert; }

const char* port_tls_error(const struct port_tls* tls) { return tls->error; }
