// The whole firmware: what it owns, and its one loop.
#ifndef BOARDS_REFERENCE_APP_APP_H
#define BOARDS_REFERENCE_APP_APP_H

#include <stdbool.h>
#include <stdint.h>

#include "app/connection.h"
#include "app/console.h"
#include "app/deviations.h"
#include "app/image.h"
#include "app/settings.h"
#include "app/store.h"
#include "port/port_system.h"

#ifdef __cplusplus
extern "C" {
#endif

#define APP_ABOUT "hilmark reference firmware"
#define APP_VERSION "0.1.0"

enum app_departure { APP_STAYS, APP_RESETS, APP_ENTERS_BOOTLOADER };

struct app_ports {
  struct port_system* system;
  struct port_console* console;
  struct port_storage* storage;
  struct port_net* net;
  struct port_tls* tls;
};

struct app {
  struct app_ports ports;
  struct image image;
  struct deviations deviations;
  struct store store;
  struct settings settings;
  struct settings candidate;  // what a command would make of them
  struct console console;
  struct connection connection;
  const char* fault;  // why nothing but the console runs; NULL: all does
  enum app_departure departure;
  uint64_t store_due_ms;  // when a defect writes what it has confirmed; 0: all is written
  bool sends;             // AT+SEND1 waits for its acknowledgement, and further lines for it
  uint64_t send_deadline_ms;
};

void app_init(struct app* app, const struct app_ports* ports);

// One turn of the loop, with the wait at its end.
void app_run_once(struct app* app);

// Makes `candidate` what holds from now on, in flash first. False if that failed; nothing is changed then.
bool app_commit(struct app* app);

#ifdef __cplusplus
}
#endif
#endif
