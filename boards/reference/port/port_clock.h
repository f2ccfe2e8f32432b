// A clock that never goes back.
#ifndef BOARDS_REFERENCE_PORT_PORT_CLOCK_H
#define BOARDS_REFERENCE_PORT_PORT_CLOCK_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// Milliseconds since some instant before the boot.
uint64_t port_clock_now_ms(void);

#ifdef __cplusplus
}
#endif
#endif
