#include "app/settings.h"

#include <string.h>

#include "app/pem.h"

static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_alphanumeric(char c) { return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// A host name (RFC 1123 §2.1): labels of 1 to 63 letters, digits and inner hyphens, and no IPv4 literal.
static bool is_host_name(const char* text) {
  if (*text == '\0') return true;  // none
  for (const char* label = text;;) {
    const size_t length = strcspn(label, ".");
    if (length == 0 || length > 63 || label[0] == '-' || label[length - 1] == '-') return false;
    bool all_digits = true;
    for (size_t i = 0; i < length; i++) {
      if (!is_alphanumeric(label[i]) && label[i] != '-') return false;
      all_digits = all_digits && is_digit(label[i]);
    }
    if (label[length] == '\0') return !all_digits;
    label += length + 1;
  }
}

static bool is_thing_name(const char* text) {
  if (*text == '\0') return false;
  for (; *text != '\0'; text++) {
    if (!is_alphanumeric(*text) && strchr("-_:.", *text) == NULL) return false;
  }
  return true;
}

// A topic name to publish on: printable ASCII, no wildcards (MQTT 3.1.1 [MQTT-3.3.2-2]).
static bool is_topic(const char* text) {
  for (; *text != '\0'; text++) {
    if (*text < ' ' || *text > '~' || *text == '+' || *text == '#') return false;
  }
  return true;
}

static bool is_address(const char* text) {
  uint32_t ipv4;
  return *text == '\0' || settings_parse_ipv4(text, &ipv4);
}

static bool is_anchors(const char* text) { return *text == '\0' || pem_is_certificates(text); }

// A certificate is installed by identity_install(), never by assignment.
static bool is_nothing(const char* text) {
  (void)text;
  return false;
}

#define FIELD(member) offsetof(struct settings, member), sizeof(((struct settings*)0)->member)
#define TEXT(name, kind, tag, member, accepts) \
  { name, accepts, FIELD(member), 0, 0, 0, kind, SETTING_TEXT, tag }
#define NUMBER(name, kind, tag, member, least, most, initial) \
  { name, NULL, FIELD(member), least, most, initial, kind, SETTING_NUMBER, tag }
#define OCTETS(name, tag, member) \
  { name, NULL, FIELD(member), 0, 0, 0, SETTING_HIDDEN, SETTING_OCTETS, tag }

enum { DAY_MS = 24 * 3600 * 1000 };

const struct setting_key setting_table[SETTING_COUNT] = {
    TEXT("ThingName", SETTING_CONF, 1, thing_name, is_thing_name),
    TEXT("Endpoint", SETTING_CONF, 2, endpoint, is_host_name),
    TEXT("RootCA", SETTING_CONF, 3, root_ca, is_anchors),
    TEXT("Certificate", SETTING_CONF, 4, certificate, is_nothing),
    TEXT("Topic1", SETTING_CONF, 5, topic1, is_topic),
    TEXT("ConnectAddress", SETTING_XCONF, 6, connect_address, is_address),
    TEXT("Resolver", SETTING_XCONF, 18, resolver, is_address),
    NUMBER("Port", SETTING_XCONF, 7, port, 1, 65535, 8883),
    NUMBER("KeepAliveS", SETTING_XCONF, 8, keep_alive_s, 0, 65535, 60),
    NUMBER("BackoffBaseMs", SETTING_XCONF, 9, backoff_base_ms, 1, DAY_MS, 500),
    NUMBER("BackoffCapMs", SETTING_XCONF, 10, backoff_cap_ms, 1, DAY_MS, 30000),
    NUMBER("ConnectTimeoutMs", SETTING_XCONF, 11, connect_timeout_ms, 100, 600000, 10000),
    NUMBER("PublishPeriodMs", SETTING_XCONF, 12, publish_period_ms, 0, DAY_MS, 0),
    TEXT("first_endpoint", SETTING_HIDDEN, 40, first_endpoint, is_nothing),
    NUMBER("wishes_connection", SETTING_HIDDEN, 13, wishes_connection, 0, 1, 0),
    NUMBER("has_key", SETTING_HIDDEN, 14, has_key, 0, 1, 0),
    NUMBER("has_pending_key", SETTING_HIDDEN, 15, has_pending_key, 0, 1, 0),
    OCTETS("key", 16, key),
    OCTETS("pending_key", 17, pending_key),
};

static char* field(const struct setting_key* key, struct settings* settings) { return (char*)settings + key->offset; }

static void set_number(const struct setting_key* key, struct settings* settings, uint32_t number) {
  memcpy(field(key, settings), &number, sizeof number);
}

void settings_set_defaults(struct settings* settings) {
  memset(settings, 0, sizeof *settings);
  for (int i = 0; i < SETTING_COUNT; i++) {
    if (setting_table[i].type == SETTING_NUMBER) set_number(&setting_table[i], settings, setting_table[i].initial);
  }
  strcpy(settings->thing_name, SETTINGS_DEFAULT_THING_NAME);
}

const struct setting_key* setting_by_name(enum setting_kind kind, const char* name) {
  for (int i = 0; i < SETTING_COUNT; i++) {
    if (setting_table[i].kind == kind && strcmp(setting_table[i].name, name) == 0) return &setting_table[i];
  }
  return NULL;
}

// A decimal number of at most nine digits.
static bool parse_number(const char* text, uint32_t* number) {
  const size_t length = strlen(text);
  if (length == 0 || length > 9) return false;
  *number = 0;
  for (; *text != '\0'; text++) {
    if (!is_digit(*text)) return false;
    *number = *number * 10 + (uint32_t)(*text - '0');
  }
  return true;
}

bool setting_assign(const struct setting_key* key, struct settings* settings, const char* value) {
  if (key->type == SETTING_NUMBER) {
    uint32_t number;
    if (!parse_number(value, &number) || number < key->least || number > key->most) return false;
    set_number(key, settings, number);
    return true;
  }
  const size_t length = strlen(value);
  if (key->type != SETTING_TEXT || length >= key->size_bytes) return false;
  if (key->accepts != NULL && !key->accepts(value)) return false;
  memcpy(field(key, settings), value, length + 1);
  return true;
}

const char* setting_text(const struct setting_key* key, const struct settings* settings) {
  return (const char*)settings + key->offset;
}

uint32_t setting_number(const struct setting_key* key, const struct settings* settings) {
  uint32_t number;
  memcpy(&number, (const char*)settings + key->offset, sizeof number);
  return number;
}

bool settings_parse_ipv4(const char* text, uint32_t* ipv4) {
  *ipv4 = 0;
  for (int part = 0; part < 4; part++) {
    uint32_t octet = 0;
    size_t digits = 0;
    for (; is_digit(*text); text++, digits++) octet = octet * 10 + (uint32_t)(*text - '0');
    if (digits == 0 || digits > 3 || octet > 255) return false;
    if (*text != (part < 3 ? '.' : '\0')) return false;
    text++;
    *ipv4 = (*ipv4 << 8) | octet;
  }
  return true;
}
