#include "app/commands.h"

#include <stdio.h>
#include <string.h>

#include "app/escapes.h"
#include "app/identity.h"

enum { REQUEST_BYTES = 2048 };

// Numbers and first words are those of AWS IoT ExpressLink.
enum { ERR_OVERFLOW = 1, ERR_PARSE = 2, ERR_NOT_FOUND = 3, ERR_PARAMETER = 4, ERR_ESCAPE = 5, ERR_NO_CONNECTION = 6 };
enum { ERR_TIMEOUT = 7, ERR_TOPIC = 8, ERR_KEY_NAME = 10, ERR_UNKNOWN_KEY = 11, ERR_READ_ONLY = 12 };
// And these are ours.
enum { ERR_CERTIFICATE = 23, ERR_STORAGE = 90, ERR_CRYPTO = 91, ERR_FAULT = 92 };

static void refuse(struct app* app, unsigned number, const char* text) {
  console_answer_error(&app->console, number, text);
}

static void begin_change(struct app* app) { app->candidate = app->settings; }

static bool commit(struct app* app) {
  if (app_commit(app)) return true;
  refuse(app, ERR_STORAGE, "STORAGE the flash could not be written; nothing is changed");
  return false;
}

// Settings ---------------------------------------------------------------------------------------------------------

static void answer_setting(struct app* app, enum setting_kind kind, const char* name) {
  const struct setting_key* key = setting_by_name(kind, name);
  if (kind == SETTING_CONF && strcmp(name, "About") == 0) {
    console_answer_value(&app->console, APP_ABOUT);
  } else if (kind == SETTING_CONF && strcmp(name, "Version") == 0) {
    console_answer_value(&app->console, APP_VERSION);
  } else if (key == NULL) {
    refuse(app, ERR_UNKNOWN_KEY, "UNKNOWN KEY");
  } else if (key->type == SETTING_NUMBER) {
    char number[16];
    snprintf(number, sizeof number, "%lu", (unsigned long)setting_number(key, &app->settings));
    console_answer_value(&app->console, number);
  } else {
    console_answer_value(&app->console, setting_text(key, &app->settings));
  }
}

static void install_certificate(struct app* app, const char* pem) {
  begin_change(app);
  enum identity_result result = identity_install(&app->candidate, pem);
  if (result != IDENTITY_OK && deviations_install_anything(&app->deviations) &&
      identity_install_anything(&app->candidate, pem)) {
    result = IDENTITY_OK;
  }
  switch (result) {
    case IDENTITY_OK:
      if (commit(app)) console_answer_ok(&app->console);
      return;
    case IDENTITY_TOO_LONG:
      refuse(app, ERR_OVERFLOW, "OVERFLOW the certificates are too long");
      return;
    case IDENTITY_UNREADABLE:
      refuse(app, ERR_CERTIFICATE, "INVALID CERTIFICATE not one or more whole PEM certificates");
      return;
    case IDENTITY_NO_KEY:
      refuse(app, ERR_CERTIFICATE, "INVALID CERTIFICATE there is no key; AT+XKEYGEN first");
      return;
    case IDENTITY_OTHER_KEY:
      refuse(app, ERR_CERTIFICATE, "INVALID CERTIFICATE for another key than ours");
      return;
  }
}

// What follows a change that is stored.
static void follow_change(struct app* app, const struct setting_key* key, const char* old_endpoint, uint64_t now_ms) {
  if (strcmp(key->name, "ConnectAddress") == 0 || strcmp(key->name, "Resolver") == 0 ||
      strcmp(key->name, "Port") == 0) {
    connection_restart(&app->connection, false, "the address to connect to changed", now_ms);
  }
  if (strcmp(key->name, "Endpoint") != 0) return;
  if (!deviations_follow_move(&app->deviations, old_endpoint, app->settings.endpoint)) return;
  connection_restart(&app->connection, true, "the endpoint changed", now_ms);
}

static bool is_unchanged(const struct setting_key* key, const struct app* app) {
  const char* was = setting_text(key, &app->settings);
  const char* is = setting_text(key, &app->candidate);
  return key->type == SETTING_TEXT ? strcmp(was, is) == 0 : memcmp(was, is, key->size_bytes) == 0;
}

static void change_setting(struct app* app, enum setting_kind kind, const char* name, const char* value,
                           uint64_t now_ms) {
  const struct setting_key* key = setting_by_name(kind, name);
  const bool read_only = kind == SETTING_CONF && (strcmp(name, "About") == 0 || strcmp(name, "Version") == 0);
  if (key == NULL) {
    refuse(app, read_only ? ERR_READ_ONLY : ERR_UNKNOWN_KEY, read_only ? "KEY READONLY" : "UNKNOWN KEY");
    return;
  }
  if (strcmp(name, "Certificate") == 0) {
    install_certificate(app, value);
    return;
  }
  begin_change(app);
  if (!setting_assign(key, &app->candidate, value)) {
    refuse(app, ERR_PARAMETER, "PARAMETER ERROR the key does not take this value");
    return;
  }
  if (is_unchanged(key, app)) {
    console_answer_ok(&app->console);
    return;
  }
  const bool moves = strcmp(name, "Endpoint") == 0;
  if (moves && deviations_reprovision(&app->deviations) && !identity_replace_by_self_signed(&app->candidate)) {
    refuse(app, ERR_CRYPTO, "CRYPTO no key could be made");
    return;
  }
  char old_endpoint[SETTINGS_ENDPOINT_BYTES];
  strcpy(old_endpoint, app->settings.endpoint);
  if (!commit(app)) return;
  console_answer_ok(&app->console);
  follow_change(app, key, old_endpoint, now_ms);
}

static void assign(struct app* app, enum setting_kind kind, char* argument, uint64_t now_ms) {
  char* equals = strchr(argument, '=');
  if (equals == NULL) {
    refuse(app, ERR_PARAMETER, "PARAMETER ERROR expected Key=value");
    return;
  }
  *equals = '\0';
  change_setting(app, kind, argument, equals + 1, now_ms);
}

static void on_conf(struct app* app, char* argument, uint64_t now_ms) { assign(app, SETTING_CONF, argument, now_ms); }
static void on_xconf(struct app* app, char* argument, uint64_t now_ms) { assign(app, SETTING_XCONF, argument, now_ms); }

static void on_conf_query(struct app* app, char* argument, uint64_t now_ms) {
  (void)now_ms;
  answer_setting(app, SETTING_CONF, argument);
}

static void on_xconf_query(struct app* app, char* argument, uint64_t now_ms) {
  (void)now_ms;
  answer_setting(app, SETTING_XCONF, argument);
}

// Connection -------------------------------------------------------------------------------------------------------

static bool wish(struct app* app, uint32_t wishes) {
  if (app->settings.wishes_connection == wishes) return true;
  begin_change(app);
  app->candidate.wishes_connection = wishes;
  return commit(app);
}

static void on_connect(struct app* app, char* argument, uint64_t now_ms) {
  (void)argument;
  (void)now_ms;
  if (wish(app, 1)) console_answer_ok(&app->console);
}

static void on_connect_query(struct app* app, char* argument, uint64_t now_ms) {
  (void)argument;
  (void)now_ms;
  console_answer_value(&app->console, connection_is_served(&app->connection) ? "1 CONNECTED" : "0 DISCONNECTED");
}

static void on_disconnect(struct app* app, char* argument, uint64_t now_ms) {
  (void)argument;
  if (!wish(app, 0)) return;
  console_answer_ok(&app->console);
  connection_stop(&app->connection, "asked for", now_ms);
}

static void on_send1(struct app* app, char* argument, uint64_t now_ms) {
  struct session* session = &app->connection.session;
  if (app->settings.topic1[0] == '\0') {
    refuse(app, ERR_TOPIC, "TOPIC UNDEFINED set Topic1 first");
  } else if (!connection_is_served(&app->connection)) {
    refuse(app, ERR_NO_CONNECTION, "NO CONNECTION");
  } else if (session_waits(session, SESSION_MESSAGE)) {
    refuse(app, ERR_TIMEOUT, "TIMEOUT an earlier message still waits for its acknowledgement");
  } else if (!session_publish(session, SESSION_MESSAGE, app->settings.topic1, argument, strlen(argument))) {
    refuse(app, ERR_OVERFLOW, "OVERFLOW the message is too long");
  } else {
    app->sends = true;
    app->send_deadline_ms = now_ms + app->settings.connect_timeout_ms;
  }
}

// Identity ---------------------------------------------------------------------------------------------------------

static void tell_key(struct app* app) {
  char text[IDENTITY_KEY_TEXT_BYTES];
  identity_key_text(app->candidate.pending_key, text);
  console_tell(&app->console, "KEY", text);
}

static bool make_pending_key(struct app* app) {
  begin_change(app);
  if (!identity_make_pending_key(&app->candidate)) {
    refuse(app, ERR_CRYPTO, "CRYPTO no key could be made");
    return false;
  }
  deviations_on_key(&app->deviations, app->candidate.pending_key);
  if (!commit(app)) return false;
  if (deviations_tell_key(&app->deviations)) tell_key(app);
  return true;
}

static void on_keygen(struct app* app, char* argument, uint64_t now_ms) {
  (void)argument;
  (void)now_ms;
  if (make_pending_key(app)) console_answer_ok(&app->console);
}

static void on_request_query(struct app* app, char* argument, uint64_t now_ms) {
  (void)argument;
  (void)now_ms;
  char pem[REQUEST_BYTES];
  if (app->settings.has_pending_key == 0 && !make_pending_key(app)) return;
  if (identity_make_request(&app->settings, deviations_request_form(&app->deviations), pem, sizeof pem)) {
    deviations_on_request(&app->deviations, pem);
    console_answer_value(&app->console, pem);
  } else {
    refuse(app, ERR_CRYPTO, "CRYPTO no request could be made; a common name has at most 64 characters");
  }
}

// The rest ---------------------------------------------------------------------------------------------------------

static void on_attention(struct app* app, char* argument, uint64_t now_ms) {
  (void)argument;
  (void)now_ms;
  console_answer_ok(&app->console);
}

static void on_echo(struct app* app, char* argument, uint64_t now_ms) {
  (void)now_ms;
  console_answer_value(&app->console, argument);
}

static void on_build_query(struct app* app, char* argument, uint64_t now_ms) {
  (void)argument;
  (void)now_ms;
  console_answer_value(&app->console, app->image.build_id);
}

static void on_defect_query(struct app* app, char* argument, uint64_t now_ms) {
  (void)argument;
  (void)now_ms;
  console_answer_value(&app->console, app->image.defect);
}

static void on_reset(struct app* app, char* argument, uint64_t now_ms) {
  (void)argument;
  (void)now_ms;
  console_answer_ok(&app->console);
  app->departure = APP_RESETS;
}

static void on_boot(struct app* app, char* argument, uint64_t now_ms) {
  (void)argument;
  (void)now_ms;
  console_answer_ok(&app->console);
  app->departure = APP_ENTERS_BOOTLOADER;
}

static void on_factory_reset(struct app* app, char* argument, uint64_t now_ms) {
  if (store_wipe(&app->store)) {
    app->store_due_ms = 0;
    on_reset(app, argument, now_ms);
  } else {
    refuse(app, ERR_STORAGE, "STORAGE the flash could not be erased");
  }
}

// Lines ------------------------------------------------------------------------------------------------------------

struct command {
  const char* name;  // what follows "AT"
  bool takes_argument;
  bool in_fault;  // works even when nothing but the console runs
  void (*handle)(struct app* app, char* argument, uint64_t now_ms);
};

static const struct command command_table[] = {
    {"", false, true, on_attention},
    {"+CONF", true, false, on_conf},
    {"+CONF?", true, false, on_conf_query},
    {"+XCONF", true, false, on_xconf},
    {"+XCONF?", true, false, on_xconf_query},
    {"+CONNECT", false, false, on_connect},
    {"+CONNECT!", false, false, on_connect},
    {"+CONNECT?", false, false, on_connect_query},
    {"+DISCONNECT", false, false, on_disconnect},
    {"+SEND1", true, false, on_send1},
    {"+RESET", false, true, on_reset},
    {"+FACTORY_RESET", false, false, on_factory_reset},
    {"+XECHO", true, true, on_echo},
    {"+XBUILD?", false, true, on_build_query},
    {"+XDEFECT?", false, true, on_defect_query},
    {"+XBOOT", false, true, on_boot},
    {"+XKEYGEN", false, false, on_keygen},
    {"+XCSR?", false, false, on_request_query},
};

static char upper(char c) { return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c; }

static bool same_name(const char* name, const char* text, size_t length) {
  if (strlen(name) != length) return false;
  for (size_t i = 0; i < length; i++) {
    if (upper(text[i]) != name[i]) return false;
  }
  return true;
}

static const struct command* find_command(const char* text, size_t length) {
  for (size_t i = 0; i < sizeof command_table / sizeof command_table[0]; i++) {
    if (same_name(command_table[i].name, text, length)) return &command_table[i];
  }
  return NULL;
}

static void handle_text(struct app* app, char* line, uint64_t now_ms) {
  if (!same_name("AT", line, strlen(line) < 2 ? strlen(line) : 2)) {
    refuse(app, ERR_PARSE, "PARSE ERROR a command begins with AT");
    return;
  }
  char* name = line + 2;
  const size_t name_bytes = strcspn(name, " ");
  const struct command* command = find_command(name, name_bytes);
  const bool has_argument = name[name_bytes] == ' ';
  char* argument = name + name_bytes + (has_argument ? 1 : 0);
  if (command == NULL) {
    refuse(app, ERR_NOT_FOUND, "COMMAND NOT FOUND");
  } else if (command->takes_argument != has_argument) {
    refuse(app, ERR_PARAMETER, has_argument ? "PARAMETER ERROR it takes none" : "PARAMETER ERROR it needs one");
  } else if (!escapes_decode(argument)) {
    refuse(app, ERR_ESCAPE, "INVALID ESCAPE only \\A, \\D and \\\\ are known");
  } else if (app->fault != NULL && !command->in_fault) {
    refuse(app, ERR_FAULT, app->fault);
  } else {
    command->handle(app, argument, now_ms);
  }
}

void commands_handle(struct app* app, enum console_line kind, char* line, uint64_t now_ms) {
  switch (kind) {
    case CONSOLE_NONE:
      return;
    case CONSOLE_TOO_LONG:
      refuse(app, ERR_OVERFLOW, "OVERFLOW a line has at most 16383 bytes");
      return;
    case CONSOLE_NOT_TEXT:
      refuse(app, ERR_PARSE, "PARSE ERROR a line has no NUL");
      return;
    case CONSOLE_LINE:
      break;
  }
  if (*line != '\0') handle_text(app, line, now_ms);
}
