#include "app/escapes.h"

bool escapes_decode(char* text) {
  char* out = text;
  for (const char* in = text; *in != '\0'; in++) {
    if (*in != '\\') {
      *out++ = *in;
      continue;
    }
    switch (*++in) {
      case 'A':
        *out++ = '\n';
        break;
      case 'D':
        *out++ = '\r';
        break;
      case '\\':
        *out++ = '\\';
        break;
      default:
        return false;
    }
  }
  *out = '\0';
  return true;
}

size_t escapes_encode(char character, char encoded[2]) {
  encoded[0] = '\\';
  switch (character) {
    case '\n':
      encoded[1] = 'A';
      return 2;
    case '\r':
      encoded[1] = 'D';
      return 2;
    case '\\':
      encoded[1] = '\\';
      return 2;
    default:
      encoded[0] = character;
      return 1;
  }
}
