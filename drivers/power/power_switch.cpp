#include "drivers/power/power_switch.h"

#include "drivers/power/hub_power.h"
#include "harness/base/bytes.h"
#include "harness/base/child_process.h"

namespace hilmark {
namespace {

std::string with_state(std::string command, std::string_view state) {
  replace_all(command, "{state}", state);
  return command;
}

/// Commands first, since who wrote them knows the bench; then the hub.
class BenchSwitch final : public PowerSwitch {
 public:
  BenchSwitch(PowerConfig config, const UsbContext* usb) : config_(std::move(config)), usb_(usb) {}

  [[nodiscard]] bool can(PowerAction action) const override {
    return !command_for(action).empty() || (has_hub() && (action == PowerAction::on || action == PowerAction::off));
  }

  [[nodiscard]] Result<void> act(PowerAction action, const Deadline& deadline) override {
    if (const std::string command = command_for(action); !command.empty()) {
      ChildOptions options;
      options.command = {"/bin/sh", "-c", command};
      options.keep_preload = true;  // In the virtual lab the bench's hands are programs of that lab.
      const auto output = run_command(options, deadline);
      if (!output) return fail(output.error(), "{} by `{}`", name_of(action), command);
      return {};
    }
    if (!can(action))
      return fail(ErrorKind::usage, "this bench has no means for {}; name one in the lab file's power",
                  name_of(action));
    return switch_hub_port(*usb_, {config_.hub, config_.port}, action == PowerAction::on);
  }

 private:
  [[nodiscard]] bool has_hub() const { return usb_ != nullptr && !config_.hub.empty(); }

  [[nodiscard]] std::string command_for(PowerAction action) const {
    switch (action) {
      case PowerAction::off:
        return config_.off;
      case PowerAction::on:
        return config_.on;
      case PowerAction::cycle:
        return config_.cycle;
      case PowerAction::boot_pin_on:
        return with_state(config_.boot_pin, "on");
      case PowerAction::boot_pin_off:
        return with_state(config_.boot_pin, "off");
    }
    return {};
  }

  PowerConfig config_;
  const UsbContext* usb_;
};

}  // namespace

std::string_view name_of(PowerAction action) {
  switch (action) {
    case PowerAction::off:
      return "power off";
    case PowerAction::on:
      return "power on";
    case PowerAction::cycle:
      return "a power cycle";
    case PowerAction::boot_pin_on:
      return "boot pin on";
    case PowerAction::boot_pin_off:
      return "boot pin off";
  }
  return "";
}

std::unique_ptr<PowerSwitch> make_power_switch(PowerConfig config, const UsbContext& usb) {
  return std::make_unique<BenchSwitch>(std::move(config), &usb);
}

std::unique_ptr<PowerSwitch> make_command_switch(PowerConfig config) {
  return std::make_unique<BenchSwitch>(std::move(config), nullptr);
}

}  // namespace hilmark
