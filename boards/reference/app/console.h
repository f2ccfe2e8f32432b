// Lines in, lines out, over the port's bytes. Bounded: what does not fit is refused or left out, never cut.
#ifndef BOARDS_REFERENCE_APP_CONSOLE_H
#define BOARDS_REFERENCE_APP_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
  CONSOLE_LINE_BYTES = 16383,  // without its end
  CONSOLE_CHUNK_BYTES = 1024,
  CONSOLE_UNASKED_BYTES = 4096,  // what may wait of lines that nobody asked for
  CONSOLE_OUTPUT_BYTES = CONSOLE_UNASKED_BYTES + CONSOLE_LINE_BYTES + 1,
};

struct port_console;

struct console {
  struct port_console* port;
  char chunk[CONSOLE_CHUNK_BYTES];  // read but not yet looked at
  size_t chunk_at;
  size_t chunk_bytes;
  char line[CONSOLE_LINE_BYTES + 2];  // room for a CR and the NUL
  size_t line_bytes;
  bool overflowed;
  char output[CONSOLE_OUTPUT_BYTES];
  size_t output_bytes;
};

enum console_line { CONSOLE_NONE, CONSOLE_LINE, CONSOLE_TOO_LONG, CONSOLE_NOT_TEXT };

void console_init(struct console* console, struct port_console* port);

// The next line, NUL-terminated in *line until the next call; without its LF and a CR before it.
enum console_line console_take_line(struct console* console, char** line);

// True while the longest answer fits into what may wait: only then may a line be taken.
bool console_has_room(const struct console* console);

// An answer: "OK", "OK <value>" with the value's escapes, or "ERR<number> <text>".
void console_answer_ok(struct console* console);
void console_answer_value(struct console* console, const char* value);
void console_answer_error(struct console* console, unsigned number, const char* text);

// A line that nobody asked for, "+<word>[ <text>]"; left out when there is no room for it.
void console_tell(struct console* console, const char* word, const char* text);

// Hands what waits to the port, as far as it takes it now.
void console_pump(struct console* console);
bool console_has_output(const struct console* console);

#ifdef __cplusplus
}
#endif
#endif
