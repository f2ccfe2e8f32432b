#include "app/app.h"
#include "port_tls_types.h"
#include "port_types.h"

int main(void) {
  static struct port_console console;
  static struct port_storage storage;
  static struct port_net net;
  static struct port_tls tls;
  static struct port_system system;
  static struct app app;
  port_open(&console, &storage, &net, &system);
  const struct app_ports ports = {&system, &console, &storage, &net, &tls};
  app_init(&app, &ports);
  for (;;) app_run_once(&app);
}
