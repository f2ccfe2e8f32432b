#include "app/pem.h"

#include <string.h>

#include "port/port_crypto.h"

static const char begin_line[] = "-----BEGIN CERTIFICATE-----";
static const char end_line[] = "-----END CERTIFICATE-----";

static const char* skip_space(const char* at) { return at + strspn(at, " \t\r\n"); }

enum pem_result pem_next(const char** at, struct pem_block* block) {
  const char* begin = skip_space(*at);
  if (*begin == '\0') return PEM_END;
  if (strncmp(begin, begin_line, sizeof begin_line - 1) != 0) return PEM_BROKEN;
  const char* body = begin + sizeof begin_line - 1;
  const char* end = strstr(body, end_line);
  if (end == NULL) return PEM_BROKEN;
  const char* another = strstr(body, begin_line);
  if (another != NULL && another < end) return PEM_BROKEN;
  end += sizeof end_line - 1;
  if (end[0] == '\r' && end[1] == '\n') end++;
  if (*end == '\n') end++;
  block->text = begin;
  block->size_bytes = (size_t)(end - begin);
  *at = end;
  return PEM_BLOCK;
}

bool pem_is_certificates(const char* text) {
  size_t count = 0;
  struct pem_block block;
  enum pem_result result;
  while ((result = pem_next(&text, &block)) == PEM_BLOCK) {
    if (!port_crypto_certificate_parses(block.text, block.size_bytes)) return false;
    count++;
  }
  return result == PEM_END && count > 0;
}
