#include "harness/base/test_pch.h"
