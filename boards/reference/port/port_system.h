// The chip: its image in ROM, the ways out of the firmware, and the one place where it waits.
#ifndef BOARDS_REFERENCE_PORT_PORT_SYSTEM_H
#define BOARDS_REFERENCE_PORT_PORT_SYSTEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct port_system;

// Reads the image as it was at boot. False past its end.
bool port_system_read_rom(struct port_system* system, uint32_t offset, uint8_t* bytes, size_t size_bytes);

// Neither comes back.
void port_system_reset(struct port_system* system);
void port_system_enter_bootloader(struct port_system* system);

// What may end a wait before its time.
struct port_interest {
  bool console_input;
  bool console_output;  // room to write
  bool net_input;       // bytes, an end, or an answer of the resolver
  bool net_output;      // room to write, or a connect that came to its end
};

// Sleeps until one of these happens or `timeout_ms` passed. It may return earlier: callers poll what they wait for.
void port_wait(struct port_system* system, struct port_interest interest, uint32_t timeout_ms);

#ifdef __cplusplus
}
#endif
#endif
