// Tells every listening client in the lab that a device came or went, as udev does. A client that does not read
// (stopped in a debugger) never holds up the lab: its events wait, and the oldest are dropped in the end.
#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "boards/virtual/little_endian.h"

namespace virtual_lab {

struct Uevent {
  std::string action;   // add, remove
  std::string syspath;  // as clients see it: /sys/devices/…
  std::string subsystem;
  std::vector<std::pair<std::string, std::string>> properties;
};

// The message of libudev's monitor, as systemd 252's src/libsystemd/sd-device/device-monitor.c reads it.
[[nodiscard]] Bytes encode_uevent(const Uevent& event, std::uint64_t sequence_number);
// The hash by which listeners filter subsystems and device types there.
[[nodiscard]] std::uint32_t murmur_hash2(std::string_view text);

class UeventSender {
 public:
  static constexpr std::size_t max_waiting = 1024;  // events a listener

  // Listeners bind Unix sockets named event… in `root`, $UMOCKDEV_DIR (see usb_shim.c).
  explicit UeventSender(std::filesystem::path root) : root_(std::move(root)) {}

  void send(const Uevent& event);
  // Tries waiting events again. Returns whether some wait still.
  bool flush();

 private:
  std::filesystem::path root_;
  std::uint64_t sequence_number_ = 0;
  std::map<std::filesystem::path, std::deque<Bytes>> waiting_;
};

}  // namespace virtual_lab
