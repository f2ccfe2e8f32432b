#include "harness/inventory/scan.h"

#include <algorithm>
#include <map>
#include <set>

#include <fmt/ranges.h>

#include "drivers/unit/unit_lock.h"
#include "drivers/usb/usb_device.h"
#include "harness/inventory/board_file.h"

namespace hilmark {
namespace {

using State = ScannedDevice::State;

/// By USB ids as board files write them: the boards that have them in a state.
struct KnownIds {
  std::map<std::pair<std::string, State>, std::vector<std::string>> boards;
  std::set<std::string> with_tty;  ///< those at which a board's console is a serial port of the kernel's
};

Result<KnownIds> known_ids(const BoardFolders& folders) {
  KnownIds known;
  for (const std::string& name : folders.boards()) {
    const auto path = folders.board(name);
    if (!path) return fail(path.error());
    const auto board = read_board_file(*path);
    if (!board) return fail(board.error());
    std::vector<std::string> consoles = board->states.probe;
    for (const std::string& probe : board->states.probe) known.boards[{probe, State::probe}].push_back(name);
    if (board->states.probe.empty()) {
      known.boards[{board->states.bootloader, State::bootloader}].push_back(name);
      known.boards[{board->states.application, State::application}].push_back(name);
      consoles = {board->states.application};
    }
    if (board->console.config.transport == "serial") known.with_tty.insert(consoles.begin(), consoles.end());
  }
  return known;
}

void look_at(const UsbContext& usb, ScannedDevice& seen) {
  const auto opened = UsbDevice::open(usb, seen.device);
  if (opened) {
    seen.device.serial = (*opened)->plugged().serial;
  } else {
    seen.trouble = opened.error().error.message;
  }
  if (seen.boards.empty()) return;
  const auto holder = UnitLock::holder(lock_name(seen.device.port, ""));
  if (holder) {
    seen.holder = holder->value_or("");
  } else if (seen.trouble.empty()) {
    seen.trouble = holder.error().message;
  }
}

}  // namespace

std::string_view name_of(State state) {
  switch (state) {
    case State::bootloader:
      return "bootloader";
    case State::application:
      return "application";
    case State::probe:
      return "probe";
    case State::unknown:
      break;
  }
  return "unknown";
}

Result<std::vector<ScannedDevice>> scan_devices(const UsbContext& usb, const BoardFolders& folders) {
  const auto known = known_ids(folders);
  if (!known) return fail(known.error());
  std::vector<ScannedDevice> devices;
  for (const UsbPlugged& plugged : usb.plugged()) {
    const bool is_root_hub = plugged.port.find('-') == std::string::npos;
    if (is_root_hub) continue;
    ScannedDevice seen;
    seen.device = plugged;
    for (const State state : {State::bootloader, State::application, State::probe}) {
      const auto boards = known->boards.find({to_text(plugged.id), state});
      if (boards == known->boards.end()) continue;
      if (seen.boards.empty()) seen.state = state;
      for (const std::string& board : boards->second) {
        const bool named = std::find(seen.boards.begin(), seen.boards.end(), board) != seen.boards.end();
        if (!named) seen.boards.push_back(board);
      }
    }
    look_at(usb, seen);
    devices.push_back(std::move(seen));
  }
  return devices;
}

Result<std::string> udev_rules(const BoardFolders& folders) {
  const auto known = known_ids(folders);
  if (!known) return fail(known.error());
  std::string text =
      "# Lets whoever sits at the console, and the group plugdev, use the boards that hilmark knows. Made by `hilmark "
      "boards udev`.\n";
  for (const auto& [key, boards] : known->boards) {
    const auto& [ids, state] = key;
    const auto id = parse_usb_id(ids);
    if (!id) return fail(id.error());
    text += fmt::format("# {}: {}\n{}\n", name_of(state), fmt::join(boards, ", "), udev_rule(*id));
    if (known->with_tty.count(ids) > 0) text += udev_tty_rule(*id) + "\n";
  }
  return text;
}

}  // namespace hilmark
