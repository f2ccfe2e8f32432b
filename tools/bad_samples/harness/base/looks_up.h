// Expected: harness/base/looks_up.h:2: harness/base includes suites/case.h
#include "suites/case.h"
#include <gtest/gtest.h>  // Expected: harness/base/looks_up.h:3: GoogleTest outside of suites/
