#include "port/posix/posix_bus.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/types.h>

static void put_u32(uint8_t* at, uint32_t value) {
  for (int i = 0; i < 4; i++) at[i] = (uint8_t)(value >> (8 * i));
}

void posix_bus_put_request(uint8_t* frame, enum posix_bus_operation operation, uint32_t address, uint32_t length) {
  put_u32(frame, (uint32_t)operation);
  put_u32(frame + 4, address);
  put_u32(frame + 8, length);
}

void posix_bus_send(int bus, const uint8_t* frame, size_t size_bytes) {
  ssize_t sent;
  do {
    sent = send(bus, frame, size_bytes, MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) exit(EXIT_FAILURE);
}

size_t posix_bus_receive(int bus, uint8_t* frame, size_t size_bytes) {
  ssize_t received;
  do {
    received = recv(bus, frame, size_bytes, 0);
  } while (received < 0 && errno == EINTR);
  if (received <= 0) exit(received == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
  return (size_t)received;
}
