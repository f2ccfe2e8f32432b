// A board without a lab file: what is plugged in, as its board file has it.
#pragma once

#include <string>

#include "drivers/usb/usb_context.h"
#include "harness/inventory/bench.h"

namespace hilmark {

/// What the user says of the board that is meant; what is empty is not said.
struct PluggedChoice {
  std::string board;   ///< its board file's name
  std::string port;    ///< "1-4.2"
  std::string serial;  ///< in the state that it is in
};

/// The one board that is plugged in and meant: by the choice, and among boards that share their ids by `chip`, where
/// that is known (empty: it is not). It has no power, no network and no firmware. Errors (usage): nothing fits, or more
/// than one thing does, with the options that choose; or its files are wrong.
[[nodiscard]] Result<BenchUnit> find_plugged_unit(const UsbContext& usb, const PluggedChoice& choice,
                                                  const std::string& chip, const BoardFolders& folders);

}  // namespace hilmark
