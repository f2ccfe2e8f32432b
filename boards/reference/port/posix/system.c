// The core's way out, its ROM, and the one place where it waits.
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/types.h>
#include <unistd.h>

#include "port/port_system.h"
#include "port/posix/port_types.h"
#include "port/posix/posix_bus.h"

void port_open(struct port_console* console, struct port_storage* storage, struct port_net* net,
               struct port_system* system) {
  console->descriptor = POSIX_CONSOLE;
  storage->bus = POSIX_BUS;
  memset(net, 0, sizeof *net);
  net->socket = -1;
  net->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (net->wake < 0) exit(EXIT_FAILURE);
  system->bus = POSIX_BUS;
  system->rom = POSIX_ROM;
  system->console = console;
  system->net = net;
}

bool port_system_read_rom(struct port_system* system, uint32_t offset, uint8_t* bytes, size_t size_bytes) {
  size_t done = 0;
  while (done < size_bytes) {
    const ssize_t got = pread(system->rom, bytes + done, size_bytes - done, (off_t)(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    done += (size_t)got;
  }
  return true;
}

// The board answers neither request: it stops the core.
static void leave(struct port_system* system, enum posix_bus_operation operation) {
  uint8_t frame[POSIX_BUS_REQUEST_BYTES];
  posix_bus_put_request(frame, operation, 0, 0);
  posix_bus_send(system->bus, frame, sizeof frame);
  while (posix_bus_receive(system->bus, frame, sizeof frame) > 0) {
  }
}

void port_system_reset(struct port_system* system) { leave(system, POSIX_BUS_RESET); }

void port_system_enter_bootloader(struct port_system* system) { leave(system, POSIX_BUS_ENTER_BOOTLOADER); }

static short events_of(bool input, bool output) { return (short)((input ? POLLIN : 0) | (output ? POLLOUT : 0)); }

void port_wait(struct port_system* system, struct port_interest interest, uint32_t timeout_ms) {
  enum { CONSOLE, BUS, NET, WAKE, COUNT };
  struct pollfd polled[COUNT] = {
      [CONSOLE] = {.fd = system->console->descriptor,
                   .events = events_of(interest.console_input, interest.console_output)},
      [BUS] = {.fd = system->bus, .events = POLLIN},
      [NET] = {.fd = system->net->socket, .events = events_of(interest.net_input, interest.net_output)},
      [WAKE] = {.fd = system->net->wake, .events = POLLIN},
  };
  // poll() reports an error or a hang-up whether asked for or not, again and again.
  if (polled[NET].events == 0) polled[NET].fd = -1;
  const int limit_ms = timeout_ms > 60000 ? 60000 : (int)timeout_ms;
  if (poll(polled, COUNT, limit_ms) <= 0) return;
  // Nobody speaks on the bus unasked; what can be read there is its end. The same for a console that hung up.
  if (polled[BUS].revents != 0 || (polled[CONSOLE].revents & (POLLHUP | POLLERR)) != 0) exit(EXIT_SUCCESS);
  uint64_t count;
  if (polled[WAKE].revents != 0 && read(system->net->wake, &count, sizeof count) < 0) return;
}
