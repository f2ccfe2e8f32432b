// A hub with a power supply of its own, plugged into a port of bus 1's root hub. It switches its ports one by one. With
// a USB 3 half it is two devices, the other at the same port of bus 2, and a port loses its power only when both have
// switched it off (USB 3.2, chapter 10.3.1.1).
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "boards/virtual/lab_file.h"
#include "boards/virtual/usb_bus.h"

namespace virtual_lab {

class ExternalHub {
 public:
  struct PortState {
    bool power = true;
    bool data = true;  // of USB 2, which all boards speak
  };
  // Both outlive it. `on_change` is called in the loop, or from the calls below, with the state of a port from 1 on.
  ExternalHub(const HubSpec& spec, UsbBus& bus, std::function<void(unsigned port, const PortState& state)> on_change);
  ExternalHub(const ExternalHub&) = delete;
  ExternalHub& operator=(const ExternalHub&) = delete;
  ~ExternalHub() = default;

  [[nodiscard]] Result<void> plug();
  // The root hub's port on bus 1: without it the USB 2 half leaves the bus; when it comes back all its ports are on.
  [[nodiscard]] Result<void> set_upstream(bool on);
  // Both halves', as by a host.
  void switch_port(unsigned port, bool on);

  [[nodiscard]] unsigned port() const { return spec_.port; }

 private:
  struct Half {
    std::shared_ptr<HubModel> model;
    std::shared_ptr<std::mutex> mutex;
    std::unique_ptr<PluggedDevice> plugged;

    [[nodiscard]] bool feeds(unsigned port) const;
    void switch_port(unsigned port, bool on) const;
  };

  [[nodiscard]] Result<void> plug(Half& half, bool superspeed);
  void tell(unsigned port) const;

  const HubSpec spec_;
  UsbBus& bus_;
  const std::function<void(unsigned port, const PortState& state)> on_change_;
  Half usb2_;
  Half usb3_;
};

}  // namespace virtual_lab
