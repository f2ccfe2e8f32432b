/* Preloaded before umockdev's preload library into every program of the lab. It mends three faults of umockdev 0.17.16:
 *
 * 1. A hotplug listener's socket is named after the number of its descriptor, so two processes with the same number
 * steal each other's events. Here it is named after the socket's inode: unique on the machine, in whatever PID
 * namespace.
 * 2. Each failed open of a path below /dev enters descriptor -1 into a table of 50; the 51st aborts the program.
 * 3. The connection behind an open device node is inherited by programs that are executed, so that a claim outlives its
 *    holder. Here it is closed on exec. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* ISO C has no conversion between object and function pointers; POSIX demands that this one works. */
static void find_next(void* function, const char* name) { *(void**)function = dlsym(RTLD_NEXT, name); }

static int is_unix_socket(int fd) {
  int domain = 0;
  socklen_t size = sizeof domain;
  return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_UNIX;
}

/* The C library's bind(), past umockdev's. */
static int bind_unix(int fd, const char* path) {
  static int (*libc_bind)(int, const struct sockaddr*, socklen_t);
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (libc_bind == NULL) {
    void* libc = dlopen("libc.so.6", RTLD_LAZY);
    if (libc != NULL) *(void**)&libc_bind = dlsym(libc, "bind");
  }
  if (libc_bind == NULL || strlen(path) >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return -1;
  }
  strcpy(address.sun_path, path);
  return libc_bind(fd, (const struct sockaddr*)&address, sizeof address);
}

int bind(int fd, const struct sockaddr* address, socklen_t size) {
  static int (*next)(int, const struct sockaddr*, socklen_t);
  const char* root = getenv("UMOCKDEV_DIR");
  struct stat status;
  char path[4096];
  if (next == NULL) find_next(&next, "bind");
  /* umockdev has made a Unix socket where the program asked for a netlink one. */
  if (root == NULL || address == NULL || address->sa_family != AF_NETLINK || !is_unix_socket(fd) ||
      fstat(fd, &status) != 0) {
    return next(fd, address, size);
  }
  snprintf(path, sizeof path, "%s/event%llu", root, (unsigned long long)status.st_ino);
  unlink(path); /* left by a socket that had this inode before */
  return bind_unix(fd, path);
}

static void close_ioctl_sockets_on_exec(void) {
  enum { descriptors_looked_at = 1024 };
  const char* root = getenv("UMOCKDEV_DIR");
  const size_t root_length = root == NULL ? 0 : strlen(root);
  for (int fd = 3; root != NULL && fd < descriptors_looked_at; ++fd) {
    struct sockaddr_un peer;
    socklen_t size = sizeof peer;
    memset(&peer, 0, sizeof peer);
    if (getpeername(fd, (struct sockaddr*)&peer, &size) != 0 || peer.sun_family != AF_UNIX) continue;
    if (strncmp(peer.sun_path, root, root_length) != 0) continue;
    if (strncmp(peer.sun_path + root_length, "/ioctl/", strlen("/ioctl/")) != 0) continue;
    fcntl(fd, F_SETFD, FD_CLOEXEC);
  }
}

static int after_open(int fd, const char* path) {
  static int (*next_close)(int);
  const int error = errno;
  if (path == NULL || strncmp(path, "/dev/", strlen("/dev/")) != 0) return fd;
  if (fd < 0) {
    if (next_close == NULL) find_next(&next_close, "close");
    next_close(-1);
  } else if (strncmp(path, "/dev/bus/usb/", strlen("/dev/bus/usb/")) == 0) {
    close_ioctl_sockets_on_exec();
  }
  errno = error;
  return fd;
}

static int has_mode(int flags) { return (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE; }

#define WRAP_OPEN(name)                               \
  int name(const char* path, int flags, ...) {        \
    static int (*next)(const char*, int, ...);        \
    mode_t mode = 0;                                  \
    if (next == NULL) find_next(&next, #name);        \
    if (has_mode(flags)) {                            \
      va_list arguments;                              \
      va_start(arguments, flags);                     \
      mode = va_arg(arguments, mode_t);               \
      va_end(arguments);                              \
    }                                                 \
    return after_open(next(path, flags, mode), path); \
  }
WRAP_OPEN(open)
WRAP_OPEN(open64)

#define WRAP_CHECKED_OPEN(name)                 \
  int name(const char* path, int flags);        \
  int name(const char* path, int flags) {       \
    static int (*next)(const char*, int);       \
    if (next == NULL) find_next(&next, #name);  \
    return after_open(next(path, flags), path); \
  }
WRAP_CHECKED_OPEN(__open_2)
WRAP_CHECKED_OPEN(__open64_2)
