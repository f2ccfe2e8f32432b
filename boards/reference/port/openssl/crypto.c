// Keys, requests and certificates on OpenSSL 3.
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/obj_mac.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>

#include "port/openssl/openssl_keys.h"
#include "port/port_crypto.h"
#include "port/port_random.h"

static int point_of_scalar(const uint8_t* private_key, uint8_t point[OPENSSL_P256_POINT_BYTES]) {
  EC_GROUP* group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
  BIGNUM* scalar = BN_bin2bn(private_key, PORT_PRIVATE_KEY_BYTES, NULL);
  EC_POINT* product = group == NULL ? NULL : EC_POINT_new(group);
  int done = 0;
  if (scalar != NULL && product != NULL && !BN_is_zero(scalar) && BN_cmp(scalar, EC_GROUP_get0_order(group)) < 0) {
    BN_set_flags(scalar, BN_FLG_CONSTTIME);
    done = EC_POINT_mul(group, product, scalar, NULL, NULL, NULL) == 1 &&
           EC_POINT_point2oct(group, product, POINT_CONVERSION_UNCOMPRESSED, point, OPENSSL_P256_POINT_BYTES, NULL) ==
               OPENSSL_P256_POINT_BYTES;
  }
  EC_POINT_free(product);
  BN_clear_free(scalar);
  EC_GROUP_free(group);
  return done;
}

EVP_PKEY* openssl_key_pair(const uint8_t* private_key, const uint8_t point[OPENSSL_P256_POINT_BYTES]) {
  EVP_PKEY* key = NULL;
  BIGNUM* scalar = BN_bin2bn(private_key, PORT_PRIVATE_KEY_BYTES, NULL);
  OSSL_PARAM_BLD* builder = OSSL_PARAM_BLD_new();
  EVP_PKEY_CTX* context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
  OSSL_PARAM* parameters = NULL;
  if (scalar != NULL && builder != NULL && context != NULL &&
      OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, SN_X9_62_prime256v1, 0) == 1 &&
      OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point, OPENSSL_P256_POINT_BYTES) == 1 &&
      OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_PRIV_KEY, scalar) == 1 &&
      (parameters = OSSL_PARAM_BLD_to_param(builder)) != NULL && EVP_PKEY_fromdata_init(context) == 1) {
    EVP_PKEY_fromdata(context, &key, EVP_PKEY_KEYPAIR, parameters);
  }
  OSSL_PARAM_free(parameters);
  EVP_PKEY_CTX_free(context);
  OSSL_PARAM_BLD_free(builder);
  BN_clear_free(scalar);
  return key;
}

int openssl_point_of(const EVP_PKEY* key, uint8_t point[OPENSSL_P256_POINT_BYTES]) {
  char group[32];
  size_t group_bytes = 0;
  if (!EVP_PKEY_is_a(key, "EC") || EVP_PKEY_get_group_name(key, group, sizeof group, &group_bytes) != 1 ||
      strcmp(group, SN_X9_62_prime256v1) != 0) {
    return 0;
  }
  unsigned char* encoded = NULL;
  const size_t encoded_bytes = EVP_PKEY_get1_encoded_public_key((EVP_PKEY*)key, &encoded);
  const int usable = encoded_bytes == OPENSSL_P256_POINT_BYTES && encoded[0] == POINT_CONVERSION_UNCOMPRESSED;
  if (usable) memcpy(point, encoded, OPENSSL_P256_POINT_BYTES);
  OPENSSL_free(encoded);
  return usable;
}

static EVP_PKEY* whole_key(const uint8_t* private_key) {
  uint8_t point[OPENSSL_P256_POINT_BYTES];
  return point_of_scalar(private_key, point) ? openssl_key_pair(private_key, point) : NULL;
}

bool port_crypto_make_key(uint8_t private_key[PORT_PRIVATE_KEY_BYTES]) {
  uint8_t point[OPENSSL_P256_POINT_BYTES];
  // Zero and what is not below the order of the group are no keys, and all but never drawn.
  for (int attempt = 0; attempt < 8; attempt++) {
    if (!port_random_fill(private_key, PORT_PRIVATE_KEY_BYTES)) return false;
    if (point_of_scalar(private_key, point)) return true;
  }
  return false;
}

static bool copy_text(BIO* from, char* text, size_t size_bytes) {
  char* data = NULL;
  const long length = BIO_get_mem_data(from, &data);
  if (length <= 0 || (size_t)length >= size_bytes) return false;
  memcpy(text, data, (size_t)length);
  text[length] = '\0';
  return true;
}

static bool put_common_name(X509_NAME* name, const char* common_name) {
  return name != NULL &&
         X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char*)common_name, -1, -1, 0) == 1;
}

bool port_crypto_make_request(const uint8_t private_key[PORT_PRIVATE_KEY_BYTES], enum port_request_form form,
                              const char* common_name, char* pem, size_t size_bytes) {
  EVP_PKEY* key = form == PORT_REQUEST_WEAK_KEY ? EVP_EC_gen(SN_X9_62_prime192v1) : whole_key(private_key);
  const EVP_MD* hash = form == PORT_REQUEST_SHA1 ? EVP_sha1() : EVP_sha256();
  X509_REQ* request = X509_REQ_new();
  BIO* text = BIO_new(BIO_s_mem());
  const bool done = key != NULL && request != NULL && text != NULL &&
                    X509_REQ_set_version(request, X509_REQ_VERSION_1) == 1 &&
                    put_common_name(X509_REQ_get_subject_name(request), common_name) &&
                    X509_REQ_set_pubkey(request, key) == 1 && X509_REQ_sign(request, key, hash) > 0 &&
                    PEM_write_bio_X509_REQ(text, request) == 1 && copy_text(text, pem, size_bytes);
  BIO_free(text);
  X509_REQ_free(request);
  EVP_PKEY_free(key);
  ERR_clear_error();
  return done;
}

bool port_crypto_make_self_signed(const uint8_t private_key[PORT_PRIVATE_KEY_BYTES], const char* common_name, char* pem,
                                  size_t size_bytes) {
  EVP_PKEY* key = whole_key(private_key);
  X509* certificate = X509_new();
  BIO* text = BIO_new(BIO_s_mem());
  const bool done = key != NULL && certificate != NULL && text != NULL &&
                    X509_set_version(certificate, X509_VERSION_3) == 1 &&
                    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1) == 1 &&
                    X509_gmtime_adj(X509_getm_notBefore(certificate), -24L * 3600) != NULL &&
                    X509_gmtime_adj(X509_getm_notAfter(certificate), 365L * 24 * 3600) != NULL &&
                    put_common_name(X509_get_subject_name(certificate), common_name) &&
                    X509_set_issuer_name(certificate, X509_get_subject_name(certificate)) == 1 &&
                    X509_set_pubkey(certificate, key) == 1 && X509_sign(certificate, key, EVP_sha256()) > 0 &&
                    PEM_write_bio_X509(text, certificate) == 1 && copy_text(text, pem, size_bytes);
  BIO_free(text);
  X509_free(certificate);
  EVP_PKEY_free(key);
  ERR_clear_error();
  return done;
}

static X509* read_certificate(const char* pem, size_t size_bytes) {
  BIO* text = BIO_new_mem_buf(pem, (int)size_bytes);
  X509* certificate = text == NULL ? NULL : PEM_read_bio_X509(text, NULL, NULL, NULL);
  BIO_free(text);
  ERR_clear_error();
  return certificate;
}

bool port_crypto_certificate_parses(const char* pem, size_t size_bytes) {
  X509* certificate = read_certificate(pem, size_bytes);
  const bool parses = certificate != NULL && X509_get0_pubkey(certificate) != NULL;
  X509_free(certificate);
  ERR_clear_error();
  return parses;
}

bool port_crypto_certificate_has_key(const char* pem, size_t size_bytes,
                                     const uint8_t private_key[PORT_PRIVATE_KEY_BYTES]) {
  X509* certificate = read_certificate(pem, size_bytes);
  uint8_t ours[OPENSSL_P256_POINT_BYTES];
  uint8_t theirs[OPENSSL_P256_POINT_BYTES];
  EVP_PKEY* key = certificate == NULL ? NULL : X509_get0_pubkey(certificate);
  const bool same = key != NULL && openssl_point_of(key, theirs) && point_of_scalar(private_key, ours) &&
                    memcmp(ours, theirs, sizeof ours) == 0;
  X509_free(certificate);
  ERR_clear_error();
  return same;
}
