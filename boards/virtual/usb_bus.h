// The lab's one USB bus: its root hub, device numbers, and what plugging in and out consists of.
#pragma once

#include <array>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>

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

  // Puts the root hub there. `set_port_power` is called in the loop when a host switches a port.
  [[nodiscard]] Result<void> start(unsigned ports, std::function<void(unsigned port, bool on)> set_port_power);
  void show_power(unsigned port, bool on);

  struct Plug {
    unsigned port = 0;
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
  };
  [[nodiscard]] Result<std::unique_ptr<PluggedDevice>> plug(const Plug& plug);

 private:
  friend class PluggedDevice;
  [[nodiscard]] unsigned take_device_number();
  [[nodiscard]] Result<std::unique_ptr<TtyNode>> serve_tty(const Plug& plug, unsigned number,
                                                           const std::shared_ptr<UsbfsDevice>& device);
  [[nodiscard]] unsigned free_tty_number() const;
  [[nodiscard]] Result<std::unique_ptr<UsbfsNode>> serve(const UsbPlace& place, std::shared_ptr<UsbfsDevice> device);
  void unplugged(const UsbPlace& place);
  void hub_shows(unsigned port, bool connected);
  void flush_uevents();

  static constexpr unsigned max_device_number = 127;

  EventLoop& loop_;
  const std::filesystem::path root_;
  UeventSender uevents_;
  SysfsTree sysfs_;
  UsbfsClients clients_;
  TtyClients tty_clients_;
  std::array<bool, max_device_number + 1> number_is_taken_{};
  unsigned last_device_number_ = 1;
  EventLoop::TimerId uevent_timer_ = 0;
  std::shared_ptr<HubModel> hub_;
  const std::shared_ptr<std::mutex> hub_mutex_ = std::make_shared<std::mutex>();
  std::unique_ptr<UsbfsNode> hub_node_;
};

}  // namespace virtual_lab
