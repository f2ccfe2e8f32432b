// The console's commands (boards/wire.md).
#ifndef BOARDS_REFERENCE_APP_COMMANDS_H
#define BOARDS_REFERENCE_APP_COMMANDS_H

#include <stdint.h>

#include "app/app.h"

#ifdef __cplusplus
extern "C" {
#endif

// Carries out one line and answers it, at once or, for AT+SEND1, later. The line is changed.
void commands_handle(struct app* app, enum console_line kind, char* line, uint64_t now_ms);

#ifdef __cplusplus
}
#endif
#endif
