// What is plugged in, held against the board files.
#pragma once

#include <string>
#include <vector>

#include "drivers/usb/usb_context.h"
#include "harness/base/error.h"
#include "harness/inventory/board_folders.h"

namespace hilmark {

/// One USB device, and what the rig makes of it.
struct ScannedDevice {
  UsbPlugged device;  ///< with its serial number, where we may open it
  enum class State { unknown, bootloader, application, probe } state = State::unknown;
  /// Whose files name its ids, those in that state first; several may share a chip's bootloader, and one's application
  /// may have another's bootloader's ids: then `state` is bootloader.
  std::vector<std::string> boards;
  std::string trouble;  ///< why we may not open it, or not see who holds it, and what to do; empty: we may
  std::string holder;   ///< who has locked its port, "pid 4711: hilmark run"; empty: nobody, or it is no board's
};
[[nodiscard]] std::string_view name_of(ScannedDevice::State state);  ///< "bootloader"

/// All that is plugged but hubs' roots, ordered by port. Opens each device for a moment. Errors (usage): a board file
/// is invalid.
[[nodiscard]] Result<std::vector<ScannedDevice>> scan_devices(const UsbContext& usb, const BoardFolders& folders);

/// What udev must know for everybody at the console to use the boards of all board files: lines for a file in
/// /etc/udev/rules.d, each with the boards that it is for. Errors (usage): a board file is invalid.
[[nodiscard]] Result<std::string> udev_rules(const BoardFolders& folders);

}  // namespace hilmark
