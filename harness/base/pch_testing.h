// What nearly every test includes besides; parsed once.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/base/pch.h"
