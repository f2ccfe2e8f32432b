// For tests that run inside of virtual-lab (ctest starts them so).
#pragma once

#include <cstdlib>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "drivers/usb/usb_context.h"
#include "harness/base/child_process.h"

namespace hilmark {

inline std::string environment(const char* name) {
  const char* const value = std::getenv(name);
  return value != nullptr ? value : "";
}

/// What a shell says to a command that is given to it; a failure of the test if it fails.
inline std::string shell(const std::string& command) {
  const SystemClock clock;
  ChildOptions options;
  options.command = {"/bin/sh", "-c", command};
  options.keep_preload = true;
  const auto output = run_command(options, Deadline(clock, Milliseconds{10'000}));
  EXPECT_TRUE(output) << output.error().message;
  return output.value_or("");
}

/// The bench's hands: what `virtual-lab ctl …` says.
inline std::string ctl(const std::string& command) { return shell("\"$HILMARK_VIRTUAL_LAB\" ctl " + command); }

class InVirtualLab : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_FALSE(environment("UMOCKDEV_DIR").empty()) << "run this by ctest, or inside of virtual-lab";
    auto context = UsbContext::make();
    ASSERT_TRUE(context) << context.error().message;
    usb = std::move(*context);
  }

  SystemClock clock;
  std::unique_ptr<UsbContext> usb;
};

}  // namespace hilmark
