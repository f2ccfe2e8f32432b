#include "app/hello_filter.h"

#include <stdbool.h>
#include <string.h>

enum {
  RECORD_HEADER_BYTES = 5,
  MESSAGE_HEADER_BYTES = 4,
  VERSION_AND_RANDOM_BYTES = 34,
  EXTENSION_HEADER_BYTES = 4,
  NAME_HEADER_BYTES = 5,  // list length, name type, name length
  RECORD_HANDSHAKE = 22,
  MESSAGE_CLIENT_HELLO = 1,
  EXTENSION_SERVER_NAME = 0,
};

static size_t number_at(const uint8_t* at, unsigned octets) {
  size_t number = 0;
  for (unsigned i = 0; i < octets; i++) number = number << 8 | at[i];
  return number;
}

static void set_number(uint8_t* at, unsigned octets, size_t number) {
  for (unsigned i = octets; i-- > 0; number >>= 8) at[i] = (uint8_t)number;
}

static void decrease(uint8_t* at, unsigned octets, size_t by) { set_number(at, octets, number_at(at, octets) - by); }
static void increase(uint8_t* at, unsigned octets, size_t by) { set_number(at, octets, number_at(at, octets) + by); }

// Moves *at past a vector whose length takes `octets`.
static bool skip_vector(const uint8_t* record, size_t size_bytes, size_t* at, unsigned octets) {
  if (size_bytes - *at < octets) return false;
  const size_t length = number_at(record + *at, octets);
  *at += octets;
  if (size_bytes - *at < length) return false;
  *at += length;
  return true;
}

// Where the length of the extensions stands; 0 if this is no whole ClientHello.
static size_t find_extensions(const uint8_t* record, size_t size_bytes) {
  size_t at = RECORD_HEADER_BYTES + MESSAGE_HEADER_BYTES + VERSION_AND_RANDOM_BYTES;
  if (size_bytes < at || record[0] != RECORD_HANDSHAKE || record[RECORD_HEADER_BYTES] != MESSAGE_CLIENT_HELLO) return 0;
  if (number_at(record + 3, 2) != size_bytes - RECORD_HEADER_BYTES) return 0;
  if (!skip_vector(record, size_bytes, &at, 1)) return 0;  // session id
  if (!skip_vector(record, size_bytes, &at, 2)) return 0;  // cipher suites
  if (!skip_vector(record, size_bytes, &at, 1)) return 0;  // compression methods
  if (size_bytes - at < 2 || number_at(record + at, 2) != size_bytes - at - 2) return 0;
  return at;
}

static size_t find_server_name(const uint8_t* record, size_t size_bytes, size_t extensions_at) {
  size_t at = extensions_at + 2;
  while (size_bytes - at >= EXTENSION_HEADER_BYTES) {
    const size_t extension_at = at;
    at += 2;
    if (!skip_vector(record, size_bytes, &at, 2)) return 0;
    if (number_at(record + extension_at, 2) == EXTENSION_SERVER_NAME) return extension_at;
  }
  return 0;
}

// The one host_name of a ClientHello; false if there is none, or more than one.
struct host_name {
  size_t extensions_at;
  size_t extension_at;
  size_t name_bytes;
};

static bool find_host_name(const uint8_t* record, size_t size_bytes, struct host_name* found) {
  found->extensions_at = find_extensions(record, size_bytes);
  found->extension_at = found->extensions_at == 0 ? 0 : find_server_name(record, size_bytes, found->extensions_at);
  if (found->extension_at == 0) return false;
  const size_t body_bytes = number_at(record + found->extension_at + 2, 2);
  if (body_bytes <= NAME_HEADER_BYTES) return false;
  found->name_bytes = number_at(record + found->extension_at + EXTENSION_HEADER_BYTES + 3, 2);
  return found->name_bytes == body_bytes - NAME_HEADER_BYTES;
}

size_t hello_filter_add_server_name(uint8_t* record, size_t size_bytes, size_t room_bytes) {
  static const char second[] = "second.example";
  enum { SECOND_BYTES = sizeof second - 1, ENTRY_BYTES = 3 + SECOND_BYTES };
  struct host_name found;
  if (!find_host_name(record, size_bytes, &found) || room_bytes - size_bytes < ENTRY_BYTES) return size_bytes;
  uint8_t* list = record + found.extension_at + EXTENSION_HEADER_BYTES;
  uint8_t* end = list + NAME_HEADER_BYTES + found.name_bytes;
  memmove(end + ENTRY_BYTES, end, size_bytes - (size_t)(end - record));
  end[0] = 0;  // host_name
  end[1] = 0;
  end[2] = SECOND_BYTES;
  memcpy(end + 3, second, SECOND_BYTES);
  increase(record + 3, 2, ENTRY_BYTES);                        // record
  increase(record + RECORD_HEADER_BYTES + 1, 3, ENTRY_BYTES);  // message
  increase(record + found.extensions_at, 2, ENTRY_BYTES);      // extensions
  increase(record + found.extension_at + 2, 2, ENTRY_BYTES);   // extension
  increase(list, 2, ENTRY_BYTES);                              // list
  return size_bytes + ENTRY_BYTES;
}

size_t hello_filter_empty_server_name(uint8_t* record, size_t size_bytes) {
  struct host_name found;
  if (!find_host_name(record, size_bytes, &found)) return size_bytes;
  const size_t extensions_at = found.extensions_at;
  const size_t extension_at = found.extension_at;
  const size_t name_bytes = found.name_bytes;
  uint8_t* list = record + extension_at + EXTENSION_HEADER_BYTES;
  decrease(record + 3, 2, name_bytes);                        // record
  decrease(record + RECORD_HEADER_BYTES + 1, 3, name_bytes);  // message
  decrease(record + extensions_at, 2, name_bytes);            // extensions
  decrease(record + extension_at + 2, 2, name_bytes);         // extension
  decrease(list, 2, name_bytes);                              // list
  decrease(list + 3, 2, name_bytes);                          // name
  uint8_t* name = list + NAME_HEADER_BYTES;
  memmove(name, name + name_bytes, size_bytes - (size_t)(name + name_bytes - record));
  return size_bytes - name_bytes;
}
