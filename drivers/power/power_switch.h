// The bench's hands on a board's power, and on the pin that makes it boot into its bootloader.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "drivers/usb/usb_context.h"
#include "harness/base/clock.h"
#include "harness/base/error.h"

namespace hilmark {

enum class PowerAction {
  off,
  on,
  cycle,        ///< off and on again in one go, where the bench knows no more than that
  boot_pin_on,  ///< BOOT0, BOOTSEL …: what boots next is the bootloader
  boot_pin_off,
};
[[nodiscard]] std::string_view name_of(PowerAction action);  ///< "power off"

class PowerSwitch {
 public:
  virtual ~PowerSwitch() = default;
  [[nodiscard]] virtual bool can(PowerAction action) const = 0;
  /// Errors: usage (cannot at all), rig (the hub or the command failed), timeout.
  [[nodiscard]] virtual Result<void> act(PowerAction action, const Deadline& deadline) = 0;
};

/// The lab file's `power`. Commands run in a shell; `{state}` in boot_pin's becomes on or off.
struct PowerConfig {
  std::string hub;  ///< port path of a hub that switches its ports ("1" is bus 1's root hub); empty: none
  int port = 0;     ///< of that hub, from 1
  std::string on;
  std::string off;
  std::string cycle;
  std::string boot_pin;
};

/// `usb` must outlive it.
[[nodiscard]] std::unique_ptr<PowerSwitch> make_power_switch(PowerConfig config, const UsbContext& usb);
/// The commands alone.
[[nodiscard]] std::unique_ptr<PowerSwitch> make_command_switch(PowerConfig config);

}  // namespace hilmark
