#include "app/console.h"

#include <string.h>

#include "app/escapes.h"
#include "port/port_console.h"

void console_init(struct console* console, struct port_console* port) {
  memset(console, 0, sizeof *console);
  console->port = port;
}

// Lines in ---------------------------------------------------------------------------------------------------------

static enum console_line finish_line(struct console* console, char** line) {
  size_t length = console->line_bytes;
  bool overflowed = console->overflowed;
  console->line_bytes = 0;
  console->overflowed = false;
  if (length > 0 && console->line[length - 1] == '\r') length--;
  if (overflowed || length > CONSOLE_LINE_BYTES) return CONSOLE_TOO_LONG;
  if (memchr(console->line, '\0', length) != NULL) return CONSOLE_NOT_TEXT;
  console->line[length] = '\0';
  *line = console->line;
  return CONSOLE_LINE;
}

static bool refill(struct console* console) {
  console->chunk_at = 0;
  console->chunk_bytes = 0;
  return port_console_read(console->port, console->chunk, sizeof console->chunk, &console->chunk_bytes) == PORT_OK;
}

enum console_line console_take_line(struct console* console, char** line) {
  // A sender that never ends its line must not keep us here: one buffer's worth more than a line, then back.
  for (size_t looked_at = 0; looked_at < CONSOLE_LINE_BYTES + CONSOLE_CHUNK_BYTES; looked_at++) {
    if (console->chunk_at == console->chunk_bytes && !refill(console)) return CONSOLE_NONE;
    const char next = console->chunk[console->chunk_at++];
    if (next == '\n') return finish_line(console, line);
    if (console->line_bytes < CONSOLE_LINE_BYTES + 1) {
      console->line[console->line_bytes++] = next;
    } else {
      console->overflowed = true;
    }
  }
  return CONSOLE_NONE;
}

// Lines out --------------------------------------------------------------------------------------------------------

bool console_has_room(const struct console* console) { return console->output_bytes <= CONSOLE_UNASKED_BYTES; }

static size_t escaped_bytes(const char* text) {
  char encoded[2];
  size_t size_bytes = 0;
  for (; *text != '\0'; text++) size_bytes += escapes_encode(*text, encoded);
  return size_bytes;
}

static void put_plain(struct console* console, const char* text) {
  const size_t length = strlen(text);
  memcpy(console->output + console->output_bytes, text, length);
  console->output_bytes += length;
}

static void put_escaped(struct console* console, const char* text) {
  for (; *text != '\0'; text++) {
    console->output_bytes += escapes_encode(*text, console->output + console->output_bytes);
  }
}

static bool fits(const struct console* console, size_t size_bytes, size_t limit_bytes) {
  return size_bytes <= limit_bytes && console->output_bytes <= limit_bytes - size_bytes;
}

static void put_line(struct console* console, const char* opening, const char* value) {
  put_plain(console, opening);
  if (*value != '\0') {
    put_plain(console, " ");
    put_escaped(console, value);
  }
  put_plain(console, "\n");
}

void console_answer_ok(struct console* console) { console_answer_value(console, ""); }

void console_answer_value(struct console* console, const char* value) {
  const size_t line_bytes = strlen("OK ") + escaped_bytes(value);
  if (line_bytes > CONSOLE_LINE_BYTES || !fits(console, line_bytes + 1, CONSOLE_OUTPUT_BYTES)) {
    console_answer_error(console, 1, "OVERFLOW the answer does not fit into a line");
    return;
  }
  put_line(console, "OK", value);
}

void console_answer_error(struct console* console, unsigned number, const char* text) {
  char opening[] = "ERR00";
  if (number < 10) {
    opening[3] = (char)('0' + number);
    opening[4] = '\0';
  } else {
    opening[3] = (char)('0' + number / 10 % 10);
    opening[4] = (char)('0' + number % 10);
  }
  if (fits(console, strlen(opening) + escaped_bytes(text) + 2, CONSOLE_OUTPUT_BYTES)) put_line(console, opening, text);
}

void console_tell(struct console* console, const char* word, const char* text) {
  if (!fits(console, strlen(word) + escaped_bytes(text) + 3, CONSOLE_UNASKED_BYTES)) return;
  put_plain(console, "+");
  put_line(console, word, text);
}

void console_pump(struct console* console) {
  size_t at = 0;
  size_t sent = 0;
  while (at < console->output_bytes &&
         port_console_write(console->port, console->output + at, console->output_bytes - at, &sent) == PORT_OK) {
    at += sent;
  }
  if (at == 0) return;
  memmove(console->output, console->output + at, console->output_bytes - at);
  console->output_bytes -= at;
}

bool console_has_output(const struct console* console) { return console->output_bytes > 0; }
