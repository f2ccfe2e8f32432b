// Exponential back-off with jitter: between half and all of base × 2^n, never above the cap.
#ifndef BOARDS_REFERENCE_APP_BACKOFF_H
#define BOARDS_REFERENCE_APP_BACKOFF_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct backoff {
  unsigned failures;
};

void backoff_reset(struct backoff* backoff);

// How long to wait before the next try. `random` is uniform over all its values.
uint32_t backoff_next_ms(struct backoff* backoff, uint32_t base_ms, uint32_t cap_ms, uint32_t random);

#ifdef __cplusplus
}
#endif
#endif
