/* A small firmware for the tests of virtual-lab: lines on the console, answered in lines. Shares no code with anything.
 *
 *   echo TEXT           TEXT
 *   where               what it finds around it: working directory, environment, open descriptors, network interfaces
 *   rom                 size and first bytes of the ROM
 *   read ADDR LEN       status and data of the bus, in hex       (numbers in C's notation)
 *   erase ADDR          status
 *   program ADDR HEX    status
 *   raw HEX             a raw bus request; the raw reply
 *   babble BYTES        that many bytes, then a line
 *   deaf MS             reads nothing for that time
 *   fork                starts a child that lives on; its id
 *   reset, bootloader   by the bus
 *   exit                ends */
#define _GNU_SOURCE
#include <dirent.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { console = 3, bus = 4, rom = 5 };

extern char** environ;

static void say(const char* text) {
  size_t left = strlen(text);
  while (left > 0) {
    const ssize_t written = write(console, text, left);
    if (written <= 0) exit(3);
    text += written;
    left -= (size_t)written;
  }
}

static size_t from_hex(const char* text, uint8_t* bytes, size_t room) {
  size_t count = 0;
  unsigned value = 0;
  while (count < room && sscanf(text + 2 * count, "%2x", &value) == 1) bytes[count++] = (uint8_t)value;
  return count;
}

static ssize_t on_bus(const uint8_t* request, size_t size, uint8_t* reply, size_t room) {
  if (send(bus, request, size, 0) != (ssize_t)size) exit(4);
  return recv(bus, reply, room, 0);
}

static void say_hex(const uint8_t* bytes, ssize_t size) {
  char text[16400];
  size_t used = 0;
  for (ssize_t i = 0; i < size && used + 4 < sizeof text; ++i) used += (size_t)sprintf(text + used, "%02x", bytes[i]);
  strcpy(text + used, "\n");
  say(text);
}

static void operate(uint32_t operation, uint32_t address, uint32_t length, const uint8_t* data, size_t data_size) {
  uint8_t request[12 + 5000];
  uint8_t reply[4 + 4096];
  const uint32_t header[3] = {operation, address, length};
  memcpy(request, header, sizeof header);
  if (data_size > 0) memcpy(request + sizeof header, data, data_size);
  const ssize_t got = on_bus(request, sizeof header + data_size, reply, sizeof reply);
  int32_t status = 0;
  char text[32];
  memcpy(&status, reply, sizeof status);
  snprintf(text, sizeof text, "%d ", (int)status);
  say(text);
  say_hex(reply + 4, got - 4);
}

static void where(void) {
  char text[512];
  say(getcwd(text, sizeof text) == NULL ? "?" : text);
  for (char** entry = environ; *entry != NULL; ++entry) {
    snprintf(text, sizeof text, " env:%.*s", (int)(strchr(*entry, '=') - *entry), *entry);
    say(text);
  }
  for (int fd = 0; fd < 64; ++fd) {
    struct stat status;
    if (fstat(fd, &status) != 0) continue;
    snprintf(text, sizeof text, " fd:%d", fd);
    say(text);
  }
  struct if_nameindex* const interfaces = if_nameindex();
  for (struct if_nameindex* one = interfaces; one != NULL && one->if_index != 0; ++one) {
    struct ifreq request;
    memset(&request, 0, sizeof request);
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", one->if_name);
    const int fd = socket(AF_INET, SOCK_DGRAM, 0);
    const int up = ioctl(fd, SIOCGIFFLAGS, &request) == 0 && (request.ifr_flags & IFF_UP) != 0;
    close(fd);
    snprintf(text, sizeof text, " net:%s:%s", one->if_name, up ? "up" : "down");
    say(text);
  }
  say("\n");
}

static void show_rom(void) {
  char text[64];
  char magic[9] = "";
  struct stat status;
  const int readable = fstat(rom, &status) == 0 && pread(rom, magic, 8, 0) == 8;
  const int writable = pwrite(rom, "x", 1, 0) == 1;
  snprintf(text, sizeof text, "%ld %s %s\n", readable ? (long)status.st_size : -1, magic, writable ? "rw" : "ro");
  say(text);
}

static void babble(long bytes) {
  char line[101];
  for (long i = 0; i < bytes / 100; ++i) {
    snprintf(line, sizeof line, "babble %092ld\n", i);
    say(line);
  }
  say("babbled\n");
}

static void deaf(long milliseconds) {
  const struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};
  nanosleep(&time, NULL);
  say("hears again\n");
}

static void fork_child(void) {
  char text[32];
  const pid_t child = fork();
  while (child == 0) pause();
  snprintf(text, sizeof text, "%ld\n", (long)child);
  say(text);
}

static void obey(char* line) {
  uint8_t bytes[8192];
  char* rest = strchr(line, ' ');
  if (rest == NULL) rest = line + strlen(line);
  const uint32_t number = (uint32_t)strtoul(rest, &rest, 0);
  while (*rest == ' ') ++rest;
  if (strncmp(line, "echo ", 5) == 0) {
    say(line + 5);
    say("\n");
  } else if (strcmp(line, "where") == 0) {
    where();
  } else if (strcmp(line, "rom") == 0) {
    show_rom();
  } else if (strncmp(line, "read ", 5) == 0) {
    operate(1, number, (uint32_t)strtoul(rest, NULL, 0), NULL, 0);
  } else if (strncmp(line, "erase ", 6) == 0) {
    operate(2, number, 0, NULL, 0);
  } else if (strncmp(line, "program ", 8) == 0) {
    const size_t size = from_hex(rest, bytes, sizeof bytes);
    operate(3, number, (uint32_t)size, bytes, size);
  } else if (strncmp(line, "raw ", 4) == 0) {
    uint8_t reply[4100];
    const size_t size = from_hex(line + 4, bytes, sizeof bytes);
    say_hex(reply, on_bus(bytes, size, reply, sizeof reply));
  } else if (strncmp(line, "babble ", 7) == 0) {
    babble(number);
  } else if (strncmp(line, "deaf ", 5) == 0) {
    deaf(number);
  } else if (strcmp(line, "fork") == 0) {
    fork_child();
  } else if (strcmp(line, "reset") == 0) {
    say("resetting\n");
    operate(4, 0, 0, NULL, 0);
  } else if (strcmp(line, "bootloader") == 0) {
    operate(5, 0, 0, NULL, 0);
  } else if (strcmp(line, "exit") == 0) {
    exit(7);
  } else {
    say("what?\n");
  }
}

int main(void) {
  static char line[16384];
  size_t used = 0;
  fputs("test core on standard error\n", stderr);
  say("+BOOT test\n");
  while (1) {
    const ssize_t got = read(console, line + used, 1);
    if (got <= 0) return 2;
    if (line[used] != '\n') {
      if (used + 1 < sizeof line) ++used;
      continue;
    }
    line[used] = 0;
    used = 0;
    obey(line);
  }
}
