// The bus of a native core (boards/wire.md): one request, one reply.
#ifndef BOARDS_REFERENCE_PORT_POSIX_POSIX_BUS_H
#define BOARDS_REFERENCE_PORT_POSIX_POSIX_BUS_H

#include <stddef.h>
#include <stdint.h>

enum posix_bus_operation {
  POSIX_BUS_READ = 1,
  POSIX_BUS_ERASE = 2,
  POSIX_BUS_PROGRAM = 3,
  POSIX_BUS_RESET = 4,
  POSIX_BUS_ENTER_BOOTLOADER = 5,
};

enum { POSIX_BUS_REQUEST_BYTES = 12, POSIX_BUS_REPLY_BYTES = 4 };

// Writes the 12 octets that open a request.
void posix_bus_put_request(uint8_t* frame, enum posix_bus_operation operation, uint32_t address, uint32_t length);

// Sends; ends the process when the board is gone.
void posix_bus_send(int bus, const uint8_t* frame, size_t size_bytes);
// Receives one reply into the same frame and answers its size; ends the process when the board is gone.
size_t posix_bus_receive(int bus, uint8_t* frame, size_t size_bytes);

#endif
