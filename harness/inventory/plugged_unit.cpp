#include "harness/inventory/plugged_unit.h"

#include <algorithm>

#include <fmt/ranges.h>

#include "harness/inventory/board_file.h"
#include "harness/inventory/scan.h"
#include "harness/inventory/virtual_lab.h"

namespace hilmark {
namespace {

/// Boards of a virtual lab (`virtual_…`) are nobody's but there, and share the ids of real ones.
std::vector<std::string> of_this_world(const std::vector<std::string>& boards, bool in_virtual_lab) {
  std::vector<std::string> fitting;
  std::copy_if(boards.begin(), boards.end(), std::back_inserter(fitting),
               [&](const std::string& board) { return board.starts_with("virtual_") == in_virtual_lab; });
  return fitting.empty() ? boards : fitting;
}

/// Those of the boards that have this chip, or all of them if none has.
Result<std::vector<std::string>> with_chip(const std::vector<std::string>& boards, const std::string& chip,
                                           const BoardFolders& folders) {
  std::vector<std::string> fitting;
  for (const std::string& name : boards) {
    const auto path = folders.board(name);
    if (!path) return fail(path.error());
    const auto board = read_board_file(*path);
    if (!board) return fail(board.error());
    if (board->chip == chip) fitting.push_back(name);
  }
  return fitting.empty() ? boards : fitting;
}

bool is_meant(const ScannedDevice& seen, const PluggedChoice& choice) {
  return (choice.port.empty() || seen.device.port == choice.port) &&
         (choice.serial.empty() || seen.device.serial == choice.serial);
}

std::string list_text(const std::vector<ScannedDevice>& devices) {
  std::vector<std::string> texts;
  for (const ScannedDevice& seen : devices) texts.push_back(seen.device.text());
  return texts.empty() ? "nothing" : fmt::format("{}", fmt::join(texts, ", "));
}

tl::unexpected<Error> nothing_fits(const std::vector<ScannedDevice>& devices, const PluggedChoice& choice) {
  std::vector<std::string> said;
  if (!choice.board.empty()) said.push_back("board " + choice.board);
  if (!choice.port.empty()) said.push_back("port " + choice.port);
  if (!choice.serial.empty()) said.push_back("serial " + choice.serial);
  return fail(ErrorKind::usage,
              "nothing is plugged in that {}; plugged: {}; `hilmark boards scan` tells what each may be",
              said.empty() ? "a board file names" : fmt::format("is {}", fmt::join(said, ", ")), list_text(devices));
}

}  // namespace

Result<BenchUnit> find_plugged_unit(const UsbContext& usb, const PluggedChoice& choice, const std::string& chip,
                                    const BoardFolders& folders) {
  if (!choice.board.empty()) {
    if (const auto known = folders.board(choice.board); !known) return fail(known.error());
  }
  const auto devices = scan_devices(usb, folders);
  if (!devices) return fail(devices.error());
  std::vector<ScannedDevice> fitting;
  for (const ScannedDevice& seen : *devices) {
    const auto has = [&](const std::string& board) {
      return std::find(seen.boards.begin(), seen.boards.end(), board) != seen.boards.end();
    };
    const bool is_board = choice.board.empty() ? !seen.boards.empty() : has(choice.board);
    if (is_board && is_meant(seen, choice)) fitting.push_back(seen);
  }
  if (fitting.empty()) return nothing_fits(*devices, choice);
  if (fitting.size() > 1) {
    return fail(ErrorKind::usage, "several boards are plugged in: {}; choose one with --port or --serial",
                list_text(fitting));
  }
  const ScannedDevice& found = fitting.front();
  std::vector<std::string> boards{choice.board};
  if (choice.board.empty()) {
    const auto lab = surrounding_virtual_lab();
    if (!lab) return fail(lab.error());
    auto narrowed = with_chip(of_this_world(found.boards, lab->has_value()), chip, folders);
    if (!narrowed) return fail(narrowed.error());
    boards = std::move(*narrowed);
  }
  if (boards.size() > 1) {
    return fail(ErrorKind::usage, "{} may be {}; choose with --board", found.device.text(), fmt::join(boards, ", "));
  }
  return read_plugged_unit(boards.front(), found.device.port, folders);
}

}  // namespace hilmark
