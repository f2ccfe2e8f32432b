// The console: raw bytes both ways (CDC-ACM on a board). Nothing here blocks.
#ifndef BOARDS_REFERENCE_PORT_PORT_CONSOLE_H
#define BOARDS_REFERENCE_PORT_PORT_CONSOLE_H

#include <stddef.h>

#include "port/port_result.h"

#ifdef __cplusplus
extern "C" {
#endif

struct port_console;

// PORT_OK with *received_bytes ≥ 1, PORT_AGAIN, or PORT_CLOSED when there is no console any more.
enum port_result port_console_read(struct port_console* console, char* bytes, size_t size_bytes,
                                   size_t* received_bytes);

// Writes as much as fits now: PORT_OK with *sent_bytes ≥ 1, PORT_AGAIN, or PORT_CLOSED.
enum port_result port_console_write(struct port_console* console, const char* bytes, size_t size_bytes,
                                    size_t* sent_bytes);

#ifdef __cplusplus
}
#endif
#endif
