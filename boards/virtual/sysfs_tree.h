// The part of /sys that USB programs look at, as files below $UMOCKDEV_DIR, and the hotplug events that go with it.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "boards/virtual/result.h"
#include "boards/virtual/uevent_sender.h"
#include "boards/virtual/usb_device.h"

namespace virtual_lab {

struct UsbPlace {
  unsigned bus = 1;
  unsigned device_number = 1;  // 1 to 127
  unsigned port = 0;           // of the root hub; 0: that itself
  unsigned hub_port = 0;       // of the hub at `port`; 0: it is plugged into the root hub
  unsigned hub_ports = 0;      // of a hub
  unsigned twin_bus = 0;       // of a hub: where its other half is plugged, at the same port; 0: it has none

  [[nodiscard]] std::string name() const;    // usb1, 1-4, 1-4.2
  [[nodiscard]] std::string parent() const;  // the name of the hub that it is plugged into
  [[nodiscard]] std::string node() const;    // /dev/bus/usb/001/002
  [[nodiscard]] unsigned minor_number() const { return (bus - 1) * 128 + device_number - 1; }
};

class SysfsTree {
 public:
  SysfsTree(std::filesystem::path root, UeventSender& uevents) : root_(std::move(root)), uevents_(uevents) {}

  // The node must be there already: whoever hears the event opens it at once.
  [[nodiscard]] Result<void> add(const UsbPlace& place, const UsbDescriptors& descriptors);
  // What the kernel's cdc_acm driver makes of a device that is there: /dev/ttyACM<number> at that interface.
  [[nodiscard]] Result<void> add_tty(const UsbPlace& place, unsigned interface, unsigned number);
  void remove(const UsbPlace& place);

 private:
  using Pairs = std::vector<std::pair<std::string, std::string>>;
  struct Entry {
    std::string port_name;  // the device that this belongs to
    std::string syspath;
    Pairs properties;
    std::string subsystem = "usb";
    std::vector<std::filesystem::path> links = {};  // that go with it, besides those below its syspath
  };

  void add_entry(const UsbPlace& place, const std::string& syspath, const Pairs& attributes, Pairs properties);
  // What ties each port of a hub to the one of its other half that has the same connector.
  void add_peers(const UsbPlace& place, const std::string& interface_path) const;
  // Makes `link` in a device's directory point to /sys/`target`.
  void link_to_sys(const std::string& syspath, const std::string& link, const std::string& target) const;
  [[nodiscard]] std::filesystem::path below_root(const std::string& path) const { return root_ / path.substr(1); }

  std::filesystem::path root_;
  UeventSender& uevents_;
  std::vector<Entry> entries_;
};

}  // namespace virtual_lab
