// Keys, requests and certificates on mbedTLS 2.28.
#include <mbedtls/asn1write.h>
#include <mbedtls/ecp.h>
#include <mbedtls/oid.h>
#include <mbedtls/pem.h>
#include <mbedtls/pk.h>
#include <mbedtls/platform.h>
#include <mbedtls/platform_util.h>
#include <mbedtls/x509_crt.h>
#include <mbedtls/x509_csr.h>
#include <string.h>
#include <time.h>

#include "port/mbedtls/keys.h"
#include "port/port_crypto.h"
#include "port/port_random.h"

int keys_random(void* context, unsigned char* bytes, size_t size_bytes) {
  (void)context;
  return port_random_fill(bytes, size_bytes) ? 0 : MBEDTLS_ERR_ECP_RANDOM_FAILED;
}

bool keys_load(mbedtls_pk_context* key, const uint8_t* private_key) {
  if (mbedtls_pk_setup(key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)) != 0) return false;
  mbedtls_ecp_keypair* pair = mbedtls_pk_ec(*key);
  return mbedtls_ecp_group_load(&pair->grp, MBEDTLS_ECP_DP_SECP256R1) == 0 &&
         mbedtls_mpi_read_binary(&pair->d, private_key, PORT_PRIVATE_KEY_BYTES) == 0 &&
         mbedtls_ecp_check_privkey(&pair->grp, &pair->d) == 0;
}

static bool load_whole_key(mbedtls_pk_context* key, const uint8_t* private_key) {
  if (!keys_load(key, private_key)) return false;
  mbedtls_ecp_keypair* pair = mbedtls_pk_ec(*key);
  return mbedtls_ecp_mul(&pair->grp, &pair->Q, &pair->d, &pair->grp.G, keys_random, NULL) == 0;
}

bool port_crypto_make_key(uint8_t private_key[PORT_PRIVATE_KEY_BYTES]) {
  mbedtls_ecp_group group;
  mbedtls_mpi scalar;
  mbedtls_ecp_group_init(&group);
  mbedtls_mpi_init(&scalar);
  const bool done = mbedtls_ecp_group_load(&group, MBEDTLS_ECP_DP_SECP256R1) == 0 &&
                    mbedtls_ecp_gen_privkey(&group, &scalar, keys_random, NULL) == 0 &&
                    mbedtls_mpi_write_binary(&scalar, private_key, PORT_PRIVATE_KEY_BYTES) == 0;
  mbedtls_mpi_free(&scalar);
  mbedtls_ecp_group_free(&group);
  return done;
}

// Not by mbedTLS' own text form, which has no way to write every character.
static bool put_common_name(mbedtls_asn1_named_data** name, const char* common_name) {
  enum { MOST_BYTES = 64 };  // ub-common-name (RFC 5280 Appendix A.1)
  const size_t length = strlen(common_name);
  if (length == 0 || length > MOST_BYTES) return false;
  mbedtls_asn1_named_data* entry = mbedtls_asn1_store_named_data(
      name, MBEDTLS_OID_AT_CN, MBEDTLS_OID_SIZE(MBEDTLS_OID_AT_CN), (const unsigned char*)common_name, length);
  if (entry == NULL) return false;
  entry->val.tag = MBEDTLS_ASN1_UTF8_STRING;
  return true;
}

static bool make_weak_key(mbedtls_pk_context* key) {
  return mbedtls_pk_setup(key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)) == 0 &&
         mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP192R1, mbedtls_pk_ec(*key), keys_random, NULL) == 0;
}

bool port_crypto_make_request(const uint8_t private_key[PORT_PRIVATE_KEY_BYTES], enum port_request_form form,
                              const char* common_name, char* pem, size_t size_bytes) {
  mbedtls_pk_context key;
  mbedtls_x509write_csr request;
  mbedtls_pk_init(&key);
  mbedtls_x509write_csr_init(&request);
  mbedtls_x509write_csr_set_key(&request, &key);
  mbedtls_x509write_csr_set_md_alg(&request, form == PORT_REQUEST_SHA1 ? MBEDTLS_MD_SHA1 : MBEDTLS_MD_SHA256);
  const bool loaded = form == PORT_REQUEST_WEAK_KEY ? make_weak_key(&key) : load_whole_key(&key, private_key);
  const bool done = loaded && put_common_name(&request.subject, common_name) &&
                    mbedtls_x509write_csr_pem(&request, (unsigned char*)pem, size_bytes, keys_random, NULL) == 0;
  mbedtls_x509write_csr_free(&request);
  mbedtls_pk_free(&key);
  return done;
}

// From yesterday, for clocks that differ, to in a year.
static bool put_validity(mbedtls_x509write_cert* certificate) {
  enum { DAY_S = 24 * 3600, YEAR_DAYS = 365 };
  char texts[2][16];
  const time_t now = time(NULL);
  const time_t moments[2] = {now - DAY_S, now + (time_t)YEAR_DAYS * DAY_S};
  for (int i = 0; i < 2; i++) {
    struct tm parts;
    if (mbedtls_platform_gmtime_r(&moments[i], &parts) == NULL) return false;
    if (strftime(texts[i], sizeof texts[i], "%Y%m%d%H%M%S", &parts) == 0) return false;
  }
  return mbedtls_x509write_crt_set_validity(certificate, texts[0], texts[1]) == 0;
}

static bool put_serial(mbedtls_x509write_cert* certificate) {
  mbedtls_mpi serial;
  mbedtls_mpi_init(&serial);
  const bool done = mbedtls_mpi_lset(&serial, 1) == 0 && mbedtls_x509write_crt_set_serial(certificate, &serial) == 0;
  mbedtls_mpi_free(&serial);
  return done;
}

bool port_crypto_make_self_signed(const uint8_t private_key[PORT_PRIVATE_KEY_BYTES], const char* common_name, char* pem,
                                  size_t size_bytes) {
  mbedtls_pk_context key;
  mbedtls_x509write_cert certificate;
  mbedtls_pk_init(&key);
  mbedtls_x509write_crt_init(&certificate);
  mbedtls_x509write_crt_set_subject_key(&certificate, &key);
  mbedtls_x509write_crt_set_issuer_key(&certificate, &key);
  mbedtls_x509write_crt_set_md_alg(&certificate, MBEDTLS_MD_SHA256);
  const bool done = load_whole_key(&key, private_key) && put_serial(&certificate) && put_validity(&certificate) &&
                    put_common_name(&certificate.subject, common_name) &&
                    put_common_name(&certificate.issuer, common_name) &&
                    mbedtls_x509write_crt_pem(&certificate, (unsigned char*)pem, size_bytes, keys_random, NULL) == 0;
  mbedtls_x509write_crt_free(&certificate);
  mbedtls_pk_free(&key);
  return done;
}

// One PEM block of which every octet belongs to the certificate; `certificate` was initialised, the caller frees it.
static bool read_certificate(const char* pem, size_t size_bytes, mbedtls_x509_crt* certificate) {
  char* text = mbedtls_calloc(1, size_bytes + 1);  // the library wants an end
  if (text == NULL) return false;
  memcpy(text, pem, size_bytes);
  mbedtls_pem_context block;
  mbedtls_pem_init(&block);
  size_t used_bytes = 0;
  const bool done = mbedtls_pem_read_buffer(&block, "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----",
                                            (const unsigned char*)text, NULL, 0, &used_bytes) == 0 &&
                    mbedtls_x509_crt_parse_der(certificate, block.buf, block.buflen) == 0 &&
                    certificate->raw.len == block.buflen;
  mbedtls_pem_free(&block);
  mbedtls_free(text);
  return done;
}

bool port_crypto_certificate_parses(const char* pem, size_t size_bytes) {
  mbedtls_x509_crt certificate;
  mbedtls_x509_crt_init(&certificate);
  const bool parses = read_certificate(pem, size_bytes, &certificate);
  mbedtls_x509_crt_free(&certificate);
  return parses;
}

static bool is_p256(const mbedtls_pk_context* key) {
  return mbedtls_pk_can_do(key, MBEDTLS_PK_ECKEY) && mbedtls_pk_ec(*key)->grp.id == MBEDTLS_ECP_DP_SECP256R1;
}

bool port_crypto_certificate_has_key(const char* pem, size_t size_bytes,
                                     const uint8_t private_key[PORT_PRIVATE_KEY_BYTES]) {
  mbedtls_x509_crt certificate;
  mbedtls_pk_context key;
  mbedtls_x509_crt_init(&certificate);
  mbedtls_pk_init(&key);
  const bool same = read_certificate(pem, size_bytes, &certificate) && is_p256(&certificate.pk) &&
                    load_whole_key(&key, private_key) &&
                    mbedtls_ecp_point_cmp(&mbedtls_pk_ec(certificate.pk)->Q, &mbedtls_pk_ec(key)->Q) == 0;
  mbedtls_pk_free(&key);
  mbedtls_x509_crt_free(&certificate);
  return same;
}
