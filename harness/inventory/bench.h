// The bench: the lab's units, each with all that lab, board and chip files say of it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <boost/describe/class.hpp>

#include "drivers/unit/unit.h"
#include "harness/base/error.h"
#include "harness/inventory/board_folders.h"
#include "harness/inventory/facts.h"
#include "harness/inventory/virtual_lab.h"

namespace hilmark {

/// chip ← board ← lab, layered. What its worker is told, so it has plain members only.
struct BenchUnit {
  std::string id;
  std::string kind;   ///< "usb", "virtual", "process"
  std::string board;  ///< for a process unit the program's file name
  std::string chip;   ///< empty for a process unit
  std::string port, serial;
  std::vector<std::string> capabilities;
  TimingFacts timing;
  FlasherFacts flasher;
  ImageFacts image;
  StateFacts states;
  ConsoleFacts console;
  std::string commands_file;  ///< of its console
  std::map<std::string, std::string> settings;
  PowerFacts power;
  std::vector<std::string> rig_addresses;
  std::string firmware;  ///< empty: none is flashed
  std::vector<std::string> command;
  std::int64_t namespace_pid = 0;  ///< of a virtual unit's namespaces

  [[nodiscard]] bool is_virtual() const { return kind == "virtual"; }
  [[nodiscard]] bool can(Capability capability) const;
  /// What is not declared has the catalogue's limit.
  [[nodiscard]] Timing limits() const;
  [[nodiscard]] UnitInfo info() const;
};
BOOST_DESCRIBE_STRUCT(BenchUnit, (),
                      (id, kind, board, chip, port, serial, capabilities, timing, flasher, image, states, console,
                       commands_file, settings, power, rig_addresses, firmware, command, namespace_pid))

struct Bench {
  std::filesystem::path lab;
  std::vector<std::string> accounts;
  std::vector<std::string> regions;
  std::vector<BenchUnit> units;
};

/// Reads the lab file and the files it stands on. Errors (usage): file, line, what was expected.
[[nodiscard]] Result<Bench> read_bench(const std::filesystem::path& lab, const BoardFolders& folders);

/// A unit at that port, called like its board, of which no lab file says more. Errors as those of read_bench().
[[nodiscard]] Result<BenchUnit> read_plugged_unit(const std::string& board, const std::string& port,
                                                  const BoardFolders& folders);

/// Finds a virtual unit among the boards of the lab around us. The error (usage) says how to start that.
[[nodiscard]] Result<void> find_virtual_unit(BenchUnit& unit, const std::filesystem::path& lab,
                                             const std::optional<std::vector<VirtualBoard>>& boards);

/// A path of the lab file: as it stands, else from the lab file's folder.
[[nodiscard]] std::string path_from_lab(const std::string& path, const std::filesystem::path& lab);

/// Checks any lab, board, chip, command or tool file by what it holds. Errors as those of the readers.
[[nodiscard]] Result<void> check_file(const std::filesystem::path& path, const BoardFolders& folders);

}  // namespace hilmark
