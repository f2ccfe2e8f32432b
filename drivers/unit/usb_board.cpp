#include "drivers/unit/usb_board.h"

#include <algorithm>
#include <thread>

#include <fmt/ranges.h>

#include "drivers/console/open_console_port.h"

namespace hilmark {
namespace {

constexpr Milliseconds enumeration_limit{
    5000};                                  // from leaving one program to the arrival of the other, besides booting
constexpr Milliseconds answer_limit{1500};  // for a console that may be hung
constexpr Milliseconds departure_limit{3000};
constexpr Milliseconds leave_limit{10'000};
constexpr Milliseconds command_limit{20'000};

}  // namespace

UsbBoard::UsbBoard(const UsbUnitConfig& config, CommandSet commands, UsbContext& usb, const Clock& clock,
                   EvidenceLog& evidence)
    : config_(config),
      usb_(usb),
      clock_(clock),
      evidence_(evidence),
      watcher_(usb, config.info.port),
      power_(make_power_switch(config.power, usb)),
      console_(std::move(commands), clock, evidence) {}

Deadline UsbBoard::boot_deadline() const { return {clock_, config_.info.timing.boot + enumeration_limit}; }

tl::unexpected<Error> UsbBoard::nothing_there() const {
  std::vector<std::string> ids;
  for (const UsbId& id : has_probe() ? config_.probe : std::vector<UsbId>{config_.application, config_.bootloader}) {
    ids.push_back(to_text(id));
  }
  return fail(ErrorKind::rig,
              "nothing that the board file knows is at port {}, where {} should be; plugged: {}; check cable and "
              "power, or correct the port in the lab file",
              config_.info.port, fmt::join(ids, " or "), list_text(usb_.plugged()));
}

bool UsbBoard::is_application(const std::optional<UsbPlugged>& there) const {
  if (!there) return false;
  if (!has_probe()) return there->id == config_.application;
  return std::find(config_.probe.begin(), config_.probe.end(), there->id) != config_.probe.end();
}

Result<void> UsbBoard::act(PowerAction action) { return power_->act(action, Deadline(clock_, command_limit)); }

bool UsbBoard::console_answers() { return open_console() && console_.synchronise(Deadline(clock_, answer_limit)); }

Result<UsbPlugged> UsbBoard::enter_bootloader() {
  const auto there = watcher_.now();
  if (has_probe()) {
    console_.close();
    auto probe = watcher_.wait_arrival(config_.probe, 0, boot_deadline());
    if (!probe) return probe;
    if (const auto same = check_serial(*probe); !same) return fail(same.error());
    return probe;
  }
  if (is_bootloader(there)) {
    console_.close();
    return *there;
  }
  if (is_application(there)) {
    // Before a stranger that was put into its place is flashed.
    if (const auto same = check_serial(*there); !same) return fail(same.error());
    auto came = ask_for_bootloader(*there);
    console_.close();
    if (came) return came;
  }
  return force_bootloader();
}

Result<UsbPlugged> UsbBoard::ask_for_bootloader(const UsbPlugged& application) {
  last_restart_ = application.arrival;
  if (console_.commands().has("bootloader") && console_answers() && console_.say_last("bootloader")) {
    console_.close();
    auto came = watcher_.wait_arrival({config_.bootloader}, application.arrival, Deadline(clock_, enumeration_limit));
    if (came) return came;
  }
  console_.close();
  const auto asked = request_bootloader(config_.flasher, usb_, application);
  if (!asked) return fail(asked.error());
  if (!*asked) return fail(ErrorKind::unit, "{} has no way into its bootloader", application.text());
  return watcher_.wait_arrival({config_.bootloader}, application.arrival, Deadline(clock_, enumeration_limit));
}

Result<UsbPlugged> UsbBoard::force_bootloader() {
  const auto there = watcher_.now();
  const bool cuts = power_->can(PowerAction::cycle) || (power_->can(PowerAction::off) && power_->can(PowerAction::on));
  if (!power_->can(PowerAction::boot_pin_on) || !cuts) {
    if (!there) return nothing_there();
    return fail(ErrorKind::unit,
                "{} cannot be brought into its bootloader by console or USB, and no lab file names a boot pin "
                "with power; hold BOOT0 and reset it, then run again",
                there->text());
  }
  if (const auto set = act(PowerAction::boot_pin_on); !set) return fail(set.error());
  const auto cut = cut_power();
  auto came = cut ? watcher_.wait_arrival({config_.bootloader}, last_restart_, boot_deadline())
                  : Result<UsbPlugged>(fail(cut.error()));
  // Released whatever came of it: no later boot shall end in the bootloader because of us.
  const auto released = act(PowerAction::boot_pin_off);
  if (!came) return came;
  if (!released) return fail(released.error());
  return came;
}

Result<void> UsbBoard::cut_power() {
  const auto there = watcher_.now();
  // Nobody leaves the bus then, so that its console has to show once that the commands really switch the board.
  const bool proves = probe_stays() && switches() && !cut_is_proven_ && console_answers();
  console_.close();
  if (there) last_restart_ = there->arrival;
  if (auto off = switch_off(); !off) return off;
  const std::optional<bool> fell_silent = proves ? falls_silent() : std::nullopt;
  console_.close();
  if (auto on = switch_on_again(there); !on) return on;
  if (fell_silent && !*fell_silent) {
    return fail(ErrorKind::rig,
                "the board at port {} answers by its console {} ms after its power went off; the lab file's power "
                "commands do not switch it, or it is fed from elsewhere",
                config_.info.port, departure_limit.count());
  }
  cut_is_proven_ = cut_is_proven_ || fell_silent.value_or(false);
  return {};
}

std::optional<bool> UsbBoard::falls_silent() {
  constexpr Milliseconds ask_again{100};
  const Deadline deadline(clock_, departure_limit);  // it may live on its capacitors for a while
  for (;;) {
    if (!open_console()) return std::nullopt;
    const auto answers = console_.synchronise(Deadline(clock_, answer_limit));
    if (!answers) return answers.error().kind == ErrorKind::timeout ? std::optional<bool>(true) : std::nullopt;
    if (deadline.expired()) return false;
    (void)usb_.wait([] { return false; }, Deadline(clock_, ask_again));
  }
}

void UsbBoard::remark_restart(const char* by) { evidence_.add("rig", "restarted", {{"by", by}}); }

Result<void> UsbBoard::switch_off() {
  evidence_.add("rig", "power_cut", {});
  if (switches()) return act(PowerAction::off);
  auto cycled = act(PowerAction::cycle);
  if (cycled && probe_stays()) remark_restart("power");
  return cycled;
}

Result<void> UsbBoard::switch_on_again(const std::optional<UsbPlugged>& there) {
  if (!switches()) return {};
  const bool must_leave = !probe_stays();
  if (there && must_leave && !watcher_.wait_left(there->arrival, Deadline(clock_, departure_limit))) {
    (void)act(PowerAction::on);
    return fail(
        ErrorKind::rig,
        "{} is still there with its power off; the hub does not really switch that port, or the board is fed from "
        "elsewhere",
        there->text());
  }
  // Nothing may come back while its power is off; the time is for its capacitors.
  bool back = usb_.wait([&] { return must_leave && watcher_.now().has_value(); }, Deadline(clock_, config_.power_off));
  if (back && !there) {  // It was on its way when the power went, which it is told by its leaving.
    const auto late = watcher_.now();
    back = late && !watcher_.wait_left(late->arrival, Deadline(clock_, departure_limit));
  }
  if (!must_leave) remark_restart("power");
  const auto on = act(PowerAction::on);
  if (!on) return fail(on.error());
  if (back)
    return fail(ErrorKind::rig, "port {} came back while its power was off; the hub does not really switch it",
                config_.info.port);
  return {};
}

Result<std::unique_ptr<Flasher>> UsbBoard::open_flash() {
  const auto bootloader = enter_bootloader();
  if (!bootloader) return fail(bootloader.error());
  return open_flasher(config_.flasher, usb_, *bootloader, clock_, evidence_);
}

Result<void> UsbBoard::start_application() {
  auto flasher = open_flash();
  if (!flasher) return fail(flasher.error());
  return start_application(std::move(*flasher));
}

Result<void> UsbBoard::start_application(std::unique_ptr<Flasher> flasher) {
  std::optional<UsbPlugged> there = watcher_.now();
  if (!there && has_probe()) {  // one that is part of the chip may restart with what was written
    const auto back = watcher_.wait_arrival(config_.probe, 0, boot_deadline());
    if (back) there = *back;
  }
  if (!there) return nothing_there();
  last_restart_ = there->arrival;
  const ToolCommand& tool = config_.flasher.tool.start;
  const Milliseconds limit = tool.command.empty() ? leave_limit : Milliseconds(tool.timeout_ms);
  const auto left = flasher->start(config_.flasher.base, Deadline(clock_, limit));
  flasher.reset();
  if (!left) return fail(left.error());
  // What the former life did until the probe ended it is not the new one's; that one needs longer to boot and to
  // connect than the tool to end.
  if (has_probe()) remark_restart("probe");
  return await_application(there->arrival);
}

Result<void> UsbBoard::await_behind_probe() {
  const Deadline deadline(clock_, config_.info.timing.boot + enumeration_limit);
  for (;;) {
    const auto came = watcher_.wait_arrival(config_.probe, 0, deadline);
    if (!came) return fail(came.error(), "it did not come back");
    auto answers = open_console();
    if (answers) answers = console_.synchronise(deadline);
    if (answers || deadline.expired() || answers.error().kind == ErrorKind::usage) return answers;
    console_.close();
    // A probe that is part of the chip restarts with it, and may not have left yet.
    if (!watcher_.wait_left(came->arrival, Deadline(clock_, departure_limit))) return answers;
  }
}

Result<void> UsbBoard::await_application(std::uint64_t arrival) {
  if (has_probe()) return await_behind_probe();
  const auto came = watcher_.wait_arrival({config_.application, config_.bootloader}, arrival, boot_deadline());
  if (!came) return fail(came.error(), "it did not come back");
  if (came->id == config_.bootloader) {
    return fail(ErrorKind::unit, "{}: its bootloader came back: it does not start what its flash holds; flash it anew",
                came->text());
  }
  if (const auto opened = open_console(); !opened) return fail(opened.error());
  return console_.synchronise(Deadline(clock_, config_.info.timing.boot + answer_limit));
}

Result<void> UsbBoard::open_console() {
  if (console_.is_open()) return {};
  auto there = watcher_.now();
  if (!is_application(there)) {
    if (!is_bootloader(there)) return nothing_there();
    return fail(ErrorKind::unit, "{} is in its bootloader, and has no console there", there->text());
  }
  there->serial = usb_.serial_at(*there);
  if (auto same = check_serial(*there); !same) return same;
  const ConsolePlace place{&usb_, *there};
  return console_.open([&](ConsolePort::Callbacks callbacks) {
    return open_console_port(config_.console, place, std::move(callbacks));
  });
}

/// Whether it is the unit of the lab file, as far as it lets its serial number be read.
Result<void> UsbBoard::check_serial(const UsbPlugged& there) const {
  if (config_.info.serial.empty()) return {};
  UsbPlugged seen = there;
  if (seen.serial.empty()) seen.serial = usb_.serial_at(there);
  if (seen.serial.empty() || seen.serial == config_.info.serial) return {};
  return fail(ErrorKind::usage,
              "{} is another unit: the lab file says serial {}; correct the port or the serial number", seen.text(),
              config_.info.serial);
}

Result<void> UsbBoard::ready() {
  if (console_.is_open()) return {};
  if (const auto fault = console_.fault()) {
    console_.close();  // Told once; it is opened again for what comes next.
    return fail(*fault);
  }
  if (auto opened = open_console(); !opened) return opened;
  return console_.synchronise(Deadline(clock_, config_.info.timing.boot + answer_limit));
}

Result<void> UsbBoard::reset() {
  const auto there = watcher_.now();
  if (!there) return nothing_there();
  // Behind a probe the console could not tell a reset that was done from one that was only confirmed.
  if (has_probe() && !config_.flasher.tool.start.command.empty()) {
    evidence_.add("rig", "reset", {{"by", "probe"}});
    return start_application();
  }
  if (!has_probe() && is_application(there) && console_.commands().has("reset") && console_answers()) {
    evidence_.add("rig", "reset", {{"by", "console"}});
    last_restart_ = there->arrival;
    const auto said = console_.say_last("reset");
    console_.close();
    if (said && watcher_.wait_left(there->arrival, Deadline(clock_, departure_limit)))
      return await_application(there->arrival);
    evidence_.add("rig", "reset_ignored", {});
  }
  if (!power_->can(PowerAction::on) && !power_->can(PowerAction::cycle)) {
    return fail(ErrorKind::timeout,
                "{} does not reset by {}, and the lab file names no power switch; press its reset button",
                there->text(), has_probe() ? "its probe, since its tool has no `start`" : "its console");
  }
  return power_cycle();
}

Result<void> UsbBoard::power_cycle() {
  const auto there = watcher_.now();
  if (!there && !power_->can(PowerAction::on) && !power_->can(PowerAction::cycle)) return nothing_there();
  const std::uint64_t arrival = there ? there->arrival : 0;
  if (auto cut = cut_power(); !cut) return cut;
  return await_application(arrival);
}

Result<void> UsbBoard::power_cycle_during(const std::function<void()>& work, Milliseconds after) {
  if (probe_stays() && !switches()) {
    return fail(ErrorKind::usage,
                "behind a probe nothing shows when `cycle` takes the power away; name `on` and `off` in the lab file");
  }
  if (probe_stays() && !cut_is_proven_) {
    if (auto cycled = power_cycle(); !cycled) return cycled;
  }
  const auto there = watcher_.now();
  if (!there) return nothing_there();
  last_restart_ = there->arrival;
  Result<void> off;
  const Deadline due(clock_, after);
  std::jthread cutter([&] {
    (void)usb_.wait([] { return false; }, due);
    off = switch_off();
  });
  work();
  cutter.join();
  console_.close();
  if (!off) return off;
  if (auto on = switch_on_again(there); !on) return on;
  return await_application(there->arrival);
}

Result<void> UsbBoard::check_present() const {
  // A board that resets by itself is away for a moment.
  if (watcher_.now() || usb_.wait([&] { return watcher_.now().has_value(); }, boot_deadline())) return {};
  return nothing_there();
}

bool UsbBoard::shows_life() const {
  const auto there = watcher_.now();
  return (!has_probe() && is_application(there) && there->arrival > last_restart_) || console_.lines_heard() > 0;
}

}  // namespace hilmark
