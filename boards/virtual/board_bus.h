// What a board needs of the USB that it is plugged into: the lab's own (usb_bus.h), or a guest kernel's
// (redir/redir_bus.h).
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>

#include "boards/virtual/event_loop.h"
#include "boards/virtual/hub_model.h"
#include "boards/virtual/result.h"
#include "boards/virtual/usbfs_device.h"

namespace virtual_lab {

// A device on the bus, until it is destroyed.
class PluggedDevice {
 public:
  PluggedDevice() = default;
  PluggedDevice(const PluggedDevice&) = delete;
  PluggedDevice& operator=(const PluggedDevice&) = delete;
  virtual ~PluggedDevice() = default;

  // None where a guest's kernel numbers its devices.
  [[nodiscard]] virtual std::optional<unsigned> device_number() const = 0;
  // See UsbfsDevice::pump.
  virtual void pump() = 0;
};

class BoardBus {
 public:
  BoardBus() = default;
  BoardBus(const BoardBus&) = delete;
  BoardBus& operator=(const BoardBus&) = delete;
  virtual ~BoardBus() = default;

  virtual void show_power(unsigned port, bool on) = 0;

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
  [[nodiscard]] virtual Result<std::unique_ptr<PluggedDevice>> plug(const Plug& plug) = 0;
};

// Hands events of `device` over to the loop, where `sink` gets them as long as it is plugged.
[[nodiscard]] std::function<void(const DeviceEvent&)> in_loop(EventLoop& loop,
                                                              const std::shared_ptr<UsbfsDevice>& device,
                                                              std::function<void(const DeviceEvent&)> sink);

}  // namespace virtual_lab
