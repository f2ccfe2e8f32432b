// The last answer to a DNS question, kept for as long as it says that it holds.
#ifndef BOARDS_REFERENCE_APP_NAME_CACHE_H
#define BOARDS_REFERENCE_APP_NAME_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "app/settings.h"
#include "port/port_net.h"

#ifdef __cplusplus
extern "C" {
#endif

struct name_cache {
  char name[SETTINGS_ENDPOINT_BYTES];  // empty: it holds nothing
  struct port_net_answer answer;
  uint64_t until_ms;
};

void name_cache_put(struct name_cache* cache, const char* name, const struct port_net_answer* answer, uint64_t now_ms);

// NULL if there is no answer for `name`, or if it holds no longer.
const struct port_net_answer* name_cache_get(const struct name_cache* cache, const char* name, uint64_t now_ms);

#ifdef __cplusplus
}
#endif
#endif
