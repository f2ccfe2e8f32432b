// A board at a USB port: which of its two programs runs (bootloader, application), and how to get from one to the
// other. Behind a probe nothing is seen of that: there its console alone tells that the application runs.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "drivers/console/console.h"
#include "drivers/console/console_config.h"
#include "drivers/power/power_switch.h"
#include "drivers/unit/open_flasher.h"
#include "drivers/unit/unit.h"
#include "drivers/usb/usb_context.h"

namespace hilmark {

/// All that the lab, board and chip files say of a USB unit, real or virtual.
struct UsbUnitConfig {
  UnitInfo info;     ///< with its port; a serial number, if there is one, is held against the application's
  UsbId bootloader;  ///< board file: states
  UsbId application;
  /// Board file: states, too. Not empty: a probe on the board stands at its port, whatever the chip does, with one of
  /// these ids. The application's console is behind it, and the two above are not used.
  std::vector<UsbId> probe;
  FlasherConfig flasher;                                      ///< chip file; the application starts at its base
  ConsoleConfig console;                                      ///< board file: console
  std::string commands_file;                                  ///< boards/commands/<console.commands>.yaml
  std::vector<std::pair<std::string, std::string>> settings;  ///< board file: settings, applied before it connects
  std::string topic;                                          ///< to publish to, where it can; empty: none
  PowerConfig power;                                          ///< lab file: power
  Milliseconds power_off{200};                                ///< how long power stays off in a cycle
  Milliseconds flash_limit{300'000};
};

/// Errors: rig where nothing is plugged or all is lost, unit where the board refuses, timeout where it is silent.
class UsbBoard {
 public:
  UsbBoard(const UsbUnitConfig& config, CommandSet commands, UsbContext& usb, const Clock& clock,
           EvidenceLog& evidence);

  [[nodiscard]] Console& console() { return console_; }
  [[nodiscard]] const UsbPortWatcher& watcher() const { return watcher_; }

  /// By console, else by DFU DETACH, else by boot pin and power; at once if that is where it is.
  [[nodiscard]] Result<UsbPlugged> enter_bootloader();
  /// Out of the bootloader into the application, with its console open and answering.
  [[nodiscard]] Result<void> start_application();
  /// The same with the flasher that has the bootloader open. A bootloader that has just been written may not be asked
  /// anything by another one.
  [[nodiscard]] Result<void> start_application(std::unique_ptr<Flasher> flasher);
  /// Into the bootloader, and its flash opened.
  [[nodiscard]] Result<std::unique_ptr<Flasher>> open_flash();

  /// Opens the application's console, unless it is open. Does not wait for it to answer.
  [[nodiscard]] Result<void> open_console();
  /// The console, open and in step.
  [[nodiscard]] Result<void> ready();

  [[nodiscard]] Result<void> reset();
  [[nodiscard]] Result<void> power_cycle();
  /// The same, `after` the beginning of `work`, which speaks with the board meanwhile.
  [[nodiscard]] Result<void> power_cycle_during(const std::function<void()>& work, Milliseconds after);
  [[nodiscard]] bool shows_life() const;
  /// An error (rig) if nothing is at its port, and nothing comes there within its boot time.
  [[nodiscard]] Result<void> check_present() const;

 private:
  [[nodiscard]] Deadline boot_deadline() const;
  [[nodiscard]] tl::unexpected<Error> nothing_there() const;
  [[nodiscard]] bool has_probe() const { return !config_.probe.empty(); }
  [[nodiscard]] bool is_bootloader(const std::optional<UsbPlugged>& there) const {
    return there && !has_probe() && there->id == config_.bootloader;
  }
  /// Or the probe that the application is behind.
  [[nodiscard]] bool is_application(const std::optional<UsbPlugged>& there) const;
  /// Makes it leave its application by its console or run-time DFU; whether its bootloader came.
  [[nodiscard]] Result<UsbPlugged> ask_for_bootloader(const UsbPlugged& application);
  [[nodiscard]] Result<UsbPlugged> force_bootloader();
  /// A probe may have power of its own, where the board's is not switched by its USB port.
  [[nodiscard]] bool probe_stays() const { return has_probe() && config_.power.hub.empty(); }
  [[nodiscard]] Result<void> cut_power();
  /// Whether its console does, once its power is off; nullopt where that cannot be told.
  [[nodiscard]] std::optional<bool> falls_silent();
  /// Evidence that its former life is over, where no device leaves the bus to show it.
  void remark_restart(const char* by);
  /// Power off; off and on in one go where the bench can do no more. Any thread.
  [[nodiscard]] Result<void> switch_off();
  /// What follows: `there` leaves, and gets its power back.
  [[nodiscard]] Result<void> switch_on_again(const std::optional<UsbPlugged>& there);
  [[nodiscard]] bool switches() const { return power_->can(PowerAction::off) && power_->can(PowerAction::on); }
  /// The application that arrived after `arrival`, its console open and answering.
  [[nodiscard]] Result<void> await_application(std::uint64_t arrival);
  /// The same behind a probe, which itself may leave for a moment and come back.
  [[nodiscard]] Result<void> await_behind_probe();
  [[nodiscard]] bool console_answers();
  [[nodiscard]] Result<void> act(PowerAction action);
  [[nodiscard]] Result<void> check_serial(const UsbPlugged& there) const;

  const UsbUnitConfig& config_;
  UsbContext& usb_;
  const Clock& clock_;
  EvidenceLog& evidence_;
  UsbPortWatcher watcher_;
  std::unique_ptr<PowerSwitch> power_;
  Console console_;
  bool cut_is_proven_ = false;      // its console fell silent once when its power was off
  std::uint64_t last_restart_ = 0;  // the arrival that a restart ended
};

}  // namespace hilmark
