#include "app/name_cache.h"

#include <stdio.h>
#include <string.h>

void name_cache_put(struct name_cache* cache, const char* name, const struct port_net_answer* answer, uint64_t now_ms) {
  snprintf(cache->name, sizeof cache->name, "%s", name);
  cache->answer = *answer;
  cache->until_ms = now_ms + (uint64_t)answer->ttl_s * 1000;
}

const struct port_net_answer* name_cache_get(const struct name_cache* cache, const char* name, uint64_t now_ms) {
  if (cache->name[0] == '\0' || strcmp(cache->name, name) != 0) return NULL;
  return now_ms < cache->until_ms ? &cache->answer : NULL;
}
