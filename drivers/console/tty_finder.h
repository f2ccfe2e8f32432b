// The kernel's serial ports of a USB device, found in /sys by where it is plugged, never by their numbers.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "harness/base/clock.h"
#include "harness/base/error.h"
#include "harness/base/unique_fd.h"

namespace hilmark {

/// Where the kernel shows its devices; other folders in tests.
struct KernelFolders {
  std::filesystem::path sys = "/sys";
  std::filesystem::path dev = "/dev";
};

struct WantedTty {
  std::string port;              ///< "1-4.2"
  std::string device;            ///< for messages: "0483:5740 serial V0001 at port 1-4.2"
  std::optional<int> interface;  ///< unset: the first that has a tty
};

/// The device node. Errors (usage): the device has none, since a kernel driver is missing (it is named), or another
/// holds the interface, or there is no such interface.
[[nodiscard]] Result<std::filesystem::path> find_tty(const KernelFolders& folders, const WantedTty& wanted);

/// Sees that something comes, goes or changes its permissions in /dev: the kernel and udev make a tty a little after
/// its device.
class DevWatch {
 public:
  explicit DevWatch(const KernelFolders& folders);
  /// Until the next change since the last call, or the deadline.
  void wait(const Deadline& deadline) const;

 private:
  UniqueFd inotify_;
};

/// The same, once the kernel and udev have made it; the error of find_tty() if they have not by then.
[[nodiscard]] Result<std::filesystem::path> await_tty(const KernelFolders& folders, const WantedTty& wanted,
                                                      const Deadline& deadline);

/// Which other processes have a node, or what it is a link to, open, for messages: "picocom (pid 4711)"; empty if /proc
/// does not tell.
[[nodiscard]] std::string holders_text(const std::filesystem::path& node);

}  // namespace hilmark
