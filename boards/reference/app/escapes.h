// How a console line carries LF, CR and the backslash: \A, \D and \\ (boards/wire.md).
#ifndef BOARDS_REFERENCE_APP_ESCAPES_H
#define BOARDS_REFERENCE_APP_ESCAPES_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

// Undoes the escapes of a NUL-terminated text in place. False, and the text unspecified, for any other escape.
bool escapes_decode(char* text);

// Writes one character as it stands in a line: 1 or 2 characters, and answers how many.
size_t escapes_encode(char character, char encoded[2]);

#ifdef __cplusplus
}
#endif
#endif
