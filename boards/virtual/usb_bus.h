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

#include "boards/virtual/board_bus.h"
#include "boards/virtual/hub_model.h"
#include "boards/virtual/lab_log.h"
#include "boards/virtual/sysfs_tree.h"
#include "boards/virtual/tty_node.h"
#include "boards/virtual/uevent_sender.h"
#include "boards/virtual/usbfs_server.h"

namespace virtual_lab {

class UsbBus : public BoardBus {
 public:
  // `root` is $UMOCKDEV_DIR. `loop` outlives the bus.
  UsbBus(EventLoop& loop, std::filesystem::path root);
  ~UsbBus() override;

  // Puts the root hub of bus 1 there. `set_port_power` is called in the loop when a host switches a port.
  [[nodiscard]] Result<void> start(unsigned ports, std::function<void(unsigned port, bool on)> set_port_power);
  // And that of bus 2, which switches none.
  [[nodiscard]] Result<void> start_superspeed(unsigned ports);
  // What bus 1's root hub reports.
  void show_power(unsigned port, bool on) override;

  [[nodiscard]] Result<std::unique_ptr<PluggedDevice>> plug(const Plug& plug) override;

 private:
  class Plugged;
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
