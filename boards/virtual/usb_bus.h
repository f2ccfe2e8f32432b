// The lab's USB: bus 1, and where a hub has a USB 3 half the SuperSpeed bus 2; their root hubs, device numbers, and
// what plugging in and out consists of.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "boards/virtual/hub_model.h"
#include "boards/virtual/lab_log.h"
#include "boards/virtual/sysfs_tree.h"
#include "boards/virtual/tty_node.h"
#include "boards/virtual/uevent_sender.h"
#include "boards/virtual/usbfs_server.h"

namespace virtual_lab {

class UsbBus;

// A device on the bus, until it is destroyed.
class PluggedDevice {
 public:
  PluggedDevice(UsbBus& bus, const UsbPlace& place, std::shared_ptr<UsbfsDevice> device,
                std::unique_ptr<UsbfsNode> node, std::unique_ptr<TtyNode> tty);
  PluggedDevice(const PluggedDevice&) = delete;
  PluggedDevice& operator=(const PluggedDevice&) = delete;
  ~PluggedDevice();

  [[nodiscard]] unsigned device_number() const { return place_.device_number; }
  // See UsbfsDevice::pump.
  void pump() {
    device_->pump();
    if (tty_) tty_->pump();
  }

 private:
  UsbBus& bus_;
  const UsbPlace place_;
  const std::shared_ptr<UsbfsDevice> device_;
  std::unique_ptr<UsbfsNode> node_;
  std::unique_ptr<TtyNode> tty_;
};

class UsbBus {
 public:
  // `root` is $UMOCKDEV_DIR. `loop` outlives the bus.
  UsbBus(EventLoop& loop, std::filesystem::path root);
  ~UsbBus();

  // Puts the root hub of bus 1 there. `set_port_power` is called in the loop when a host switches a port.
  [[nodiscard]] Result<void> start(unsigned ports, std::function<void(unsigned port, bool on)> set_port_power);
  // And that of bus 2, which switches none.
  [[nodiscard]] Result<void> start_superspeed(unsigned ports);
  // What bus 1's root hub reports.
  void show_power(unsigned port, bool on);

  struct Plug {
    unsigned port = 0;  // of the root hub
    std::shared_ptr<UsbDevice> model;
    std::shared_ptr<std::mutex> board_mutex;
    // Called in the loop, not after the device was unplugged.
    std::function<void(const DeviceEvent&)> on_event;
    // What the kernel's cdc_acm driver would drive: the console is then reached by a tty. As long as that is there, it
    // takes what the board says, and a libusb client of these endpoints hears nothing.
    struct Tty {
      std::uint8_t control_interface, out_endpoint, in_endpoint;
    };
    std::optional<Tty> tty = std::nullopt;
    unsigned hub_port = 0;  // of the hub at `port`; 0: it is plugged into the root hub
    unsigned bus = 1;
    std::shared_ptr<HubModel> hub = nullptr;  // the model, if it is a hub
    unsigned twin_bus = 0;                    // see UsbPlace
  };
  [[nodiscard]] Result<std::unique_ptr<PluggedDevice>> plug(const Plug& plug);

 private:
  friend class PluggedDevice;
  struct Hub {
    std::shared_ptr<HubModel> model;
    std::shared_ptr<std::mutex> mutex;
  };
  struct RootHub {
    Hub hub;
    std::unique_ptr<UsbfsNode> node;
    unsigned last_device_number = 1;
  };

  [[nodiscard]] Result<void> start_root(const UsbPlace& place, const Hub& hub,
                                        std::function<void(const DeviceEvent&)> on_event);
  [[nodiscard]] unsigned take_device_number(unsigned bus);
  [[nodiscard]] Result<std::unique_ptr<TtyNode>> serve_tty(const Plug& plug, unsigned number,
                                                           const std::shared_ptr<UsbfsDevice>& device);
  [[nodiscard]] unsigned free_tty_number() const;
  [[nodiscard]] Result<std::unique_ptr<UsbfsNode>> serve(const UsbPlace& place, std::shared_ptr<UsbfsDevice> device);
  void unplugged(const UsbPlace& place);
  void hub_shows(const UsbPlace& place, bool connected);
  void flush_uevents();

  static constexpr unsigned max_device_number = 127;

  EventLoop& loop_;
  const std::filesystem::path root_;
  UeventSender uevents_;
  SysfsTree sysfs_;
  UsbfsClients clients_;
  TtyClients tty_clients_;
  EventLoop::TimerId uevent_timer_ = 0;
  std::map<unsigned, RootHub> roots_;                      // by bus
  std::map<std::string, Hub> hubs_;                        // all, by their place's name
  std::set<std::pair<unsigned, unsigned>> taken_numbers_;  // bus, device number
};

}  // namespace virtual_lab
