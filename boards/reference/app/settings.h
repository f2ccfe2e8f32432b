// All that the firmware keeps: its settings and its identity, and the table of keys by which the console names them.
#ifndef BOARDS_REFERENCE_APP_SETTINGS_H
#define BOARDS_REFERENCE_APP_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "port/port_crypto.h"

#ifdef __cplusplus
extern "C" {
#endif

// Sizes include the NUL.
enum {
  SETTINGS_ENDPOINT_BYTES = 254,    // a DNS name (RFC 1035 §2.3.4)
  SETTINGS_THING_NAME_BYTES = 129,  // the service's limit of a client id
  SETTINGS_TOPIC_BYTES = 257,       // the service's limit of a topic
  SETTINGS_PEM_BYTES = 12288,
  SETTINGS_ADDRESS_BYTES = 16,
};

struct settings {
  char endpoint[SETTINGS_ENDPOINT_BYTES];
  char thing_name[SETTINGS_THING_NAME_BYTES];
  char topic1[SETTINGS_TOPIC_BYTES];
  char root_ca[SETTINGS_PEM_BYTES];
  char certificate[SETTINGS_PEM_BYTES];
  char first_endpoint[SETTINGS_ENDPOINT_BYTES];  // that it was ever given
  char connect_address[SETTINGS_ADDRESS_BYTES];
  char resolver[SETTINGS_ADDRESS_BYTES];  // the name server; empty: whomever the system asks
  uint32_t port;
  uint32_t keep_alive_s;
  uint32_t backoff_base_ms;
  uint32_t backoff_cap_ms;
  uint32_t connect_timeout_ms;
  uint32_t publish_period_ms;
  uint32_t wishes_connection;  // 1 from AT+CONNECT until AT+DISCONNECT
  uint32_t has_key;            // `key` belongs to `certificate`
  uint32_t has_pending_key;    // `pending_key` waits for its certificate
  uint8_t key[PORT_PRIVATE_KEY_BYTES];
  uint8_t pending_key[PORT_PRIVATE_KEY_BYTES];
};

enum setting_kind {
  SETTING_CONF,    // AT+CONF
  SETTING_XCONF,   // AT+XCONF
  SETTING_HIDDEN,  // stored, and no command names it
};

enum setting_type { SETTING_TEXT, SETTING_NUMBER, SETTING_OCTETS };

struct setting_key {
  const char* name;
  bool (*accepts)(const char* text);  // texts; NULL: any that fits
  size_t offset;
  size_t size_bytes;  // of the field
  uint32_t least;     // numbers
  uint32_t most;
  uint32_t initial;
  enum setting_kind kind;
  enum setting_type type;
  uint8_t tag;  // names it in flash; never used again for another
};

enum { SETTING_COUNT = 19 };
extern const struct setting_key setting_table[SETTING_COUNT];

#define SETTINGS_DEFAULT_THING_NAME "hilmark-unset"

void settings_set_defaults(struct settings* settings);

// NULL if no key of that kind has the name.
const struct setting_key* setting_by_name(enum setting_kind kind, const char* name);

// False if the value is not one that the key takes; nothing is changed then.
bool setting_assign(const struct setting_key* key, struct settings* settings, const char* value);

const char* setting_text(const struct setting_key* key, const struct settings* settings);
uint32_t setting_number(const struct setting_key* key, const struct settings* settings);

// IPv4 in dotted decimal, into host byte order.
bool settings_parse_ipv4(const char* text, uint32_t* ipv4);

#ifdef __cplusplus
}
#endif
#endif
