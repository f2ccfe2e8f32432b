#include <errno.h>
#include <sys/random.h>
#include <sys/types.h>

#include "port/port_random.h"

bool port_random_fill(uint8_t* bytes, size_t size_bytes) {
  size_t filled = 0;
  while (filled < size_bytes) {
    const ssize_t got = getrandom(bytes + filled, size_bytes - filled, 0);
    if (got < 0 && errno != EINTR) return false;
    if (got > 0) filled += (size_t)got;
  }
  return true;
}
