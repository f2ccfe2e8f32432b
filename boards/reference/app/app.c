#include "app/app.h"

#include <stdlib.h>
#include <string.h>

#include "app/commands.h"
#include "app/identity.h"
#include "port/port_clock.h"

enum { LINES_PER_TURN = 16, FLUSH_LIMIT_MS = 1000, LONGEST_WAIT_MS = 60000 };

// Boot -------------------------------------------------------------------------------------------------------------

static void forget_identity(struct settings* settings) {
  identity_erase(settings);
  settings->endpoint[0] = '\0';
}

static const char* find_fault(struct app* app) {
  enum defect defect;
  if (!image_read(app->ports.system, &app->image)) return "the image's header or trailer cannot be read";
  if (!defect_by_name(app->image.defect, &defect)) return "unknown defect";
  deviations_init(&app->deviations, defect);
  if (!store_open(&app->store, app->ports.storage, &app->settings)) return "the flash cannot be read";
  if (!deviations_keep_identity(&app->deviations)) forget_identity(&app->settings);
  return NULL;
}

void app_init(struct app* app, const struct app_ports* ports) {
  memset(app, 0, sizeof *app);
  app->ports = *ports;
  settings_set_defaults(&app->settings);
  console_init(&app->console, ports->console);
  connection_init(&app->connection, ports->net, ports->tls, &app->console, &app->settings, &app->deviations);
  app->fault = find_fault(app);
  console_tell(&app->console, "BOOT", app->image.build_id);
  if (app->fault != NULL) console_tell(&app->console, "FATAL", app->fault);
}

// The loop ---------------------------------------------------------------------------------------------------------

// Two defects lose the old before the new is there.
static bool make_way(struct app* app) {
  if (deviations_wipe_before_save(&app->deviations, &app->settings, &app->candidate) && !store_wipe(&app->store)) {
    return false;
  }
  if (!deviations_clear_endpoint_before_save(&app->deviations, &app->settings, &app->candidate)) return true;
  char endpoint[SETTINGS_ENDPOINT_BYTES];
  strcpy(endpoint, app->candidate.endpoint);
  app->candidate.endpoint[0] = '\0';
  const bool saved = store_save(&app->store, &app->candidate);
  strcpy(app->candidate.endpoint, endpoint);
  return saved;
}

static bool save(struct app* app) {
  if (!make_way(app)) return false;
  struct settings* candidate = &app->candidate;
  if (candidate->first_endpoint[0] == '\0') strcpy(candidate->first_endpoint, candidate->endpoint);
  char endpoint[SETTINGS_ENDPOINT_BYTES];
  strcpy(endpoint, candidate->endpoint);
  strcpy(candidate->endpoint, deviations_stored_endpoint(&app->deviations, candidate));
  const bool saved = store_save(&app->store, candidate);
  strcpy(candidate->endpoint, endpoint);
  return saved;
}

static bool stores_late(struct app* app) {
  const uint32_t delay_ms = deviations_store_delay_ms(&app->deviations);
  if (delay_ms == 0) return false;
  if (app->store_due_ms == 0) app->store_due_ms = port_clock_now_ms() + delay_ms;
  return true;
}

static void store_at_last(struct app* app) {
  if (app->store_due_ms == 0) return;
  app->store_due_ms = 0;
  store_save(&app->store, &app->settings);
}

bool app_commit(struct app* app) {
  if (stores_late(app)) {
    app->settings = app->candidate;
    return true;
  }
  if (deviations_keep_identity(&app->deviations)) {
    if (!save(app)) return false;
    app->settings = app->candidate;
    return true;
  }
  app->settings = app->candidate;
  forget_identity(&app->candidate);
  return store_save(&app->store, &app->candidate);
}

static void lose_identity(struct app* app) {
  app->candidate = app->settings;
  identity_erase(&app->candidate);
  app_commit(app);
}

static bool takes_lines(const struct app* app) {
  return app->departure == APP_STAYS && !app->sends && console_has_room(&app->console);
}

// True if it stopped before the input did.
static bool handle_lines(struct app* app, uint64_t now_ms) {
  for (int i = 0; i < LINES_PER_TURN && takes_lines(app); i++) {
    char* line = NULL;
    const enum console_line result = console_take_line(&app->console, &line);
    if (result == CONSOLE_NONE) return false;
    commands_handle(app, result, line, now_ms);
    console_pump(&app->console);
  }
  return takes_lines(app);
}

static void finish_send(struct app* app, uint64_t now_ms) {
  if (!app->sends) return;
  if (!session_waits(&app->connection.session, SESSION_MESSAGE)) {
    console_answer_ok(&app->console);
  } else if (!connection_is_served(&app->connection)) {
    console_answer_error(&app->console, 6, "NO CONNECTION it ended before the acknowledgement; sent again in the next");
  } else if (now_ms >= app->send_deadline_ms) {
    console_answer_error(&app->console, 7, "TIMEOUT no acknowledgement yet");
  } else {
    return;
  }
  app->sends = false;
}

static void depart(struct app* app, uint64_t now_ms) {
  connection_stop(&app->connection, "reset", now_ms);
  if (app->departure == APP_ENTERS_BOOTLOADER && deviations_erase_before_flash(&app->deviations)) lose_identity(app);
  store_at_last(app);
  const uint64_t limit_ms = now_ms + FLUSH_LIMIT_MS;
  console_pump(&app->console);
  while (console_has_output(&app->console) && port_clock_now_ms() < limit_ms) {
    const struct port_interest interest = {.console_output = true};
    port_wait(app->ports.system, interest, FLUSH_LIMIT_MS);
    console_pump(&app->console);
  }
  if (app->departure == APP_RESETS) port_system_reset(app->ports.system);
  port_system_enter_bootloader(app->ports.system);
}

static void wait_for_more(struct app* app) {
  const uint64_t now_ms = port_clock_now_ms();
  uint64_t next_ms = connection_next_ms(&app->connection);
  if (app->sends && app->send_deadline_ms < next_ms) next_ms = app->send_deadline_ms;
  if (app->store_due_ms != 0 && app->store_due_ms < next_ms) next_ms = app->store_due_ms;
  const uint64_t wait_ms = next_ms <= now_ms ? 0 : next_ms - now_ms;
  struct port_interest interest = connection_interest(&app->connection);
  interest.console_input = takes_lines(app);
  interest.console_output = console_has_output(&app->console);
  port_wait(app->ports.system, interest, wait_ms < LONGEST_WAIT_MS ? (uint32_t)wait_ms : LONGEST_WAIT_MS);
}

// True if a defect keeps it from going on.
static bool stands_still(struct app* app) {
  const enum deviations_stand stand = deviations_stand(&app->deviations);
  if (stand == DEVIATIONS_CRASHES) abort();
  if (stand == DEVIATIONS_HANGS) port_wait(app->ports.system, (struct port_interest){0}, LONGEST_WAIT_MS);
  return stand != DEVIATIONS_GOES_ON;
}

static void flood_console(struct app* app) {
  for (int i = 0; i < LINES_PER_TURN; i++) console_tell(&app->console, "NOISE", "0123456789 0123456789 0123456789");
}

void app_run_once(struct app* app) {
  const uint64_t now_ms = port_clock_now_ms();
  if (deviations_flood_console(&app->deviations)) flood_console(app);
  console_pump(&app->console);
  if (stands_still(app)) return;
  // What the server said by now came before the lines that come now.
  if (app->fault == NULL) connection_step(&app->connection, now_ms);
  // All lines that are there first: settings that arrive together lead to one new connection, not to several.
  const bool more_lines = handle_lines(app, now_ms);
  if (app->departure != APP_STAYS) depart(app, now_ms);
  if (app->fault == NULL) connection_step(&app->connection, now_ms);
  if (deviations_erase_identity(&app->deviations)) lose_identity(app);
  if (now_ms >= app->store_due_ms) store_at_last(app);
  finish_send(app, now_ms);
  console_pump(&app->console);
  if (!more_lines && deviations_stand(&app->deviations) == DEVIATIONS_GOES_ON) wait_for_more(app);
}
