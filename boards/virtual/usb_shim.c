/* Preloaded before umockdev's preload library into every program of the lab. It mends faults of umockdev 0.17.16:
 *
 * 1. A hotplug listener's socket is named after the number of its descriptor, so two processes with the same number
 * steal each other's events. Here it is named after the socket's inode: unique on the machine, in whatever PID
 * namespace.
 * 2. Each open of something below /dev that is not the lab's (/dev/null) leaves a socket behind. Here such opens pass
 *    umockdev by.
 * 3. A failed open of a node enters descriptor -1 into a table of 50; the 51st aborts the program. Here it is taken
 * out.
 * 4. The connection behind an open device node is inherited by programs that are executed, so that a claim outlives its
 *    holder. Here it is closed on exec.
 * 5. realpath() of a tty, which is a link to a terminal outside of the lab's folder, reads and returns garbage. Here it
 * is the node, which is no link where there is a kernel for it. */
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
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

static int begins_with(const char* text, const char* beginning) {
  return strncmp(text, beginning, strlen(beginning)) == 0;
}

/* ISO C has no conversion between object and function pointers; POSIX demands that this one works. */
static void find_next(void* function, const char* name) { *(void**)function = dlsym(RTLD_NEXT, name); }

/* Past umockdev's. */
static void find_in_libc(void* function, const char* name) {
  void* libc = dlopen("libc.so.6", RTLD_LAZY);
  *(void**)function = libc == NULL ? NULL : dlsym(libc, name);
}

static int is_unix_socket(int fd) {
  int domain = 0;
  socklen_t size = sizeof domain;
  return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_UNIX;
}

int bind(int fd, const struct sockaddr* address, socklen_t size) {
  static int (*next)(int, const struct sockaddr*, socklen_t);
  static int (*in_libc)(int, const struct sockaddr*, socklen_t);
  const char* root = getenv("UMOCKDEV_DIR");
  struct sockaddr_un named = {.sun_family = AF_UNIX};
  struct stat status;
  if (next == NULL) find_next(&next, "bind");
  if (in_libc == NULL) find_in_libc(&in_libc, "bind");
  /* umockdev has made a Unix socket where the program asked for a netlink one. */
  if (root == NULL || address == NULL || address->sa_family != AF_NETLINK || !is_unix_socket(fd) ||
      fstat(fd, &status) != 0) {
    return next(fd, address, size);
  }
  const int length =
      snprintf(named.sun_path, sizeof named.sun_path, "%s/event%llu", root, (unsigned long long)status.st_ino);
  if (length < 0 || (size_t)length >= sizeof named.sun_path) {
    errno = ENAMETOOLONG;
    return -1;
  }
  unlink(named.sun_path); /* left by a socket that had this inode before */
  return in_libc(fd, (const struct sockaddr*)&named, sizeof named);
}

/* Whether a path lies below /dev and the lab has nothing there. By a system call, since access() is umockdev's too. */
static int is_ordinary_device(const char* path) {
  const char* root = getenv("UMOCKDEV_DIR");
  const int error = errno;
  char in_lab[4096];
  if (root == NULL || path == NULL || !begins_with(path, "/dev/")) return 0;
  const int length = snprintf(in_lab, sizeof in_lab, "%s%s", root, path);
  if (length < 0 || (size_t)length >= sizeof in_lab) return 0;
  const int missing = syscall(SYS_faccessat, AT_FDCWD, in_lab, F_OK) != 0;
  errno = error;
  return missing;
}

/* A node of the host's own USB is none of the lab's business, be it that the lab's has just gone. */
static int is_usb_node(const char* path) {
  return begins_with(path, "/dev/bus/usb/") || begins_with(path, "/dev/ttyACM");
}

static int no_such_node(void) {
  errno = ENOENT;
  return -1;
}

static void close_connections_on_exec(void) {
  enum { descriptors_looked_at = 1024 };
  const char* root = getenv("UMOCKDEV_DIR");
  for (int fd = 3; root != NULL && fd < descriptors_looked_at; ++fd) {
    struct sockaddr_un peer;
    socklen_t size = sizeof peer;
    memset(&peer, 0, sizeof peer);
    if (getpeername(fd, (struct sockaddr*)&peer, &size) != 0 || peer.sun_family != AF_UNIX) continue;
    if (begins_with(peer.sun_path, root) && begins_with(peer.sun_path + strlen(root), "/ioctl/")) {
      fcntl(fd, F_SETFD, FD_CLOEXEC);
    }
  }
}

static int after_open(int fd, const char* path) {
  static int (*next_close)(int);
  const int error = errno;
  if (path == NULL || !begins_with(path, "/dev/")) return fd;
  if (fd < 0) {
    if (next_close == NULL) find_next(&next_close, "close");
    next_close(-1);
  } else if (is_usb_node(path)) {
    close_connections_on_exec();
  }
  errno = error;
  return fd;
}

char* realpath(const char* path, char* resolved);
char* realpath(const char* path, char* resolved) {
  static char* (*next)(const char*, char*);
  if (next == NULL) find_next(&next, "realpath");
  if (path == NULL || getenv("UMOCKDEV_DIR") == NULL || !begins_with(path, "/dev/ttyACM") || is_ordinary_device(path))
    return next(path, resolved);
  return resolved == NULL ? strdup(path) : strcpy(resolved, path);
}

static int has_mode(int flags) { return (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE; }

/* PARAMETERS and ARGUMENTS are what stands before the path and goes with it; empty but for openat(). */
#define COMMA ,
#define WRAP_OPEN(name, PARAMETERS, ARGUMENTS)                                                                      \
  int name(PARAMETERS const char* path, int flags, ...) {                                                           \
    static int (*next)(PARAMETERS const char*, int, ...);                                                           \
    static int (*in_libc)(PARAMETERS const char*, int, ...);                                                        \
    mode_t mode = 0;                                                                                                \
    if (next == NULL) find_next(&next, #name);                                                                      \
    if (in_libc == NULL) find_in_libc(&in_libc, #name);                                                             \
    if (has_mode(flags)) {                                                                                          \
      va_list arguments;                                                                                            \
      va_start(arguments, flags);                                                                                   \
      mode = va_arg(arguments, mode_t);                                                                             \
      va_end(arguments);                                                                                            \
    }                                                                                                               \
    if (is_ordinary_device(path)) return is_usb_node(path) ? no_such_node() : in_libc(ARGUMENTS path, flags, mode); \
    return after_open(next(ARGUMENTS path, flags, mode), path);                                                     \
  }
WRAP_OPEN(open, , )
WRAP_OPEN(open64, , )
WRAP_OPEN(openat, int folder COMMA, folder COMMA)
WRAP_OPEN(openat64, int folder COMMA, folder COMMA)

#define WRAP_CHECKED_OPEN(name)                                                                     \
  int name(const char* path, int flags);                                                            \
  int name(const char* path, int flags) {                                                           \
    static int (*next)(const char*, int);                                                           \
    static int (*in_libc)(const char*, int);                                                        \
    if (next == NULL) find_next(&next, #name);                                                      \
    if (in_libc == NULL) find_in_libc(&in_libc, #name);                                             \
    if (is_ordinary_device(path)) return is_usb_node(path) ? no_such_node() : in_libc(path, flags); \
    return after_open(next(path, flags), path);                                                     \
  }
WRAP_CHECKED_OPEN(__open_2)
WRAP_CHECKED_OPEN(__open64_2)

#define WRAP_FOPEN(name)                                            \
  FILE* name(const char* path, const char* mode) {                  \
    static FILE* (*next)(const char*, const char*);                 \
    static FILE* (*in_libc)(const char*, const char*);              \
    if (next == NULL) find_next(&next, #name);                      \
    if (in_libc == NULL) find_in_libc(&in_libc, #name);             \
    return (is_ordinary_device(path) ? in_libc : next)(path, mode); \
  }
WRAP_FOPEN(fopen)
WRAP_FOPEN(fopen64)
