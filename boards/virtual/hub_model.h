// The bus's root hub, with power switching per port (USB 2.0, chapter 11.24).
#pragma once

#include "boards/virtual/usb_device.h"

namespace virtual_lab {

class HubModel : public UsbDevice {
 public:
  static constexpr unsigned max_ports = 15;

  // Ports count from 1 to `ports`, which is at most max_ports.
  explicit HubModel(unsigned ports);

  [[nodiscard]] BulkStep bulk_in(std::uint8_t endpoint, std::span<std::uint8_t> into) override;
  // What the ports report; changes nothing on the boards.
  void show_connected(unsigned port, bool connected);
  void show_power(unsigned port, bool on);

 protected:
  std::optional<std::size_t> class_request(const SetupPacket& setup, std::span<std::uint8_t> data) override;

 private:
  struct Port {
    bool powered = true;
    bool connected = false;
    bool connection_changed = false;
  };

  std::optional<std::size_t> port_request(const SetupPacket& setup, std::span<std::uint8_t> data);

  std::vector<Port> ports_;
};

}  // namespace virtual_lab
