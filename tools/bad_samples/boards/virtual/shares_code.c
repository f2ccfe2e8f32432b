/* Expected: boards/virtual/shares_code.c:2: boards/virtual includes harness/base/bytes.h */
#include "harness/base/bytes.h"
