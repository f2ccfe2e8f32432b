#include "harness/base/pch_testing.h"
