// The console on a stream socket. A console that is gone means that the board is gone.
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "port/port_console.h"
#include "port/posix/port_types.h"

static enum port_result result_of(ssize_t moved, size_t* moved_bytes) {
  *moved_bytes = 0;
  if (moved < 0) return errno == EAGAIN || errno == EINTR ? PORT_AGAIN : PORT_CLOSED;
  *moved_bytes = (size_t)moved;
  return moved == 0 ? PORT_CLOSED : PORT_OK;
}

enum port_result port_console_read(struct port_console* console, char* bytes, size_t size_bytes,
                                   size_t* received_bytes) {
  const enum port_result result = result_of(recv(console->descriptor, bytes, size_bytes, MSG_DONTWAIT), received_bytes);
  if (result == PORT_CLOSED) exit(EXIT_SUCCESS);
  return result;
}

enum port_result port_console_write(struct port_console* console, const char* bytes, size_t size_bytes,
                                    size_t* sent_bytes) {
  return result_of(send(console->descriptor, bytes, size_bytes, MSG_DONTWAIT | MSG_NOSIGNAL), sent_bytes);
}
