// The port's objects on POSIX, for whoever owns them (main.c). All else sees them by pointer alone.
#ifndef BOARDS_REFERENCE_PORT_POSIX_PORT_TYPES_H
#define BOARDS_REFERENCE_PORT_POSIX_PORT_TYPES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "port/port_net.h"
#include "port/port_storage.h"

// The descriptors that a native core finds (boards/wire.md).
enum { POSIX_CONSOLE = 3, POSIX_BUS = 4, POSIX_ROM = 5 };

struct port_console {
  int descriptor;
};

struct port_storage {
  int bus;
  uint8_t frame[12 + PORT_STORAGE_TRANSFER_BYTES];
};

// A question to libc blocks, so each question has a thread. One that was dropped keeps its place until it comes back.
enum { POSIX_LOOKUPS = 4 };
enum posix_lookup_state { LOOKUP_FREE, LOOKUP_ASKING, LOOKUP_FOUND, LOOKUP_FAILED };

struct posix_lookup {
  atomic_int state;
  bool dropped;
  int wake;           // an eventfd
  const char* error;  // why it failed
  uint32_t server_ipv4;
  struct port_net_answer answer;
  char name[PORT_NET_NAME_BYTES];
};

struct port_net {
  int socket;  // -1: none
  int wake;    // an eventfd that a lookup's end raises
  struct posix_lookup lookups[POSIX_LOOKUPS];
  struct posix_lookup* asked;  // NULL: none
  char error[96];
};

struct port_system {
  int bus;
  int rom;
  const struct port_console* console;
  const struct port_net* net;
};

void port_open(struct port_console* console, struct port_storage* storage, struct port_net* net,
               struct port_system* system);

#endif
