#include "app/backoff.h"

void backoff_reset(struct backoff* backoff) { backoff->failures = 0; }

uint32_t backoff_next_ms(struct backoff* backoff, uint32_t base_ms, uint32_t cap_ms, uint32_t random) {
  uint64_t most_ms = base_ms;
  for (unsigned i = 0; i < backoff->failures && most_ms < cap_ms; i++) most_ms *= 2;
  // Counting on once the cap is reached would only overflow one day.
  if (most_ms < cap_ms) backoff->failures++;
  if (most_ms > cap_ms) most_ms = cap_ms;
  const uint64_t least_ms = most_ms / 2;
  return (uint32_t)(least_ms + (most_ms - least_ms) * random / UINT32_MAX);
}
