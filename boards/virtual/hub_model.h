// A hub (USB 2.0, chapter 11.23; its USB 3 half: USB 3.2, chapter 10), with power switching per port or none.
#pragma once

#include <string>

#include "boards/virtual/usb_device.h"

namespace virtual_lab {

struct HubKind {
  unsigned ports = 4;          // at most HubModel::max_ports
  bool superspeed = false;     // the USB 3 half of a hub: a device of its own
  bool switches_ports = true;  // one by one
  std::string serial = {};     // empty: a root hub
  Bytes container_id = {};     // 16 bytes, the same in both halves of one hub; empty: it tells none
};

class HubModel : public UsbDevice {
 public:
  static constexpr unsigned max_ports = 15;

  explicit HubModel(const HubKind& kind);
  // A root hub. Ports count from 1 to `ports`.
  explicit HubModel(unsigned ports) : HubModel(HubKind{.ports = ports}) {}

  [[nodiscard]] BulkStep bulk_in(std::uint8_t endpoint, std::span<std::uint8_t> into) override;
  // What the ports report; changes nothing on the boards.
  void show_connected(unsigned port, bool connected);
  void show_power(unsigned port, bool on);
  [[nodiscard]] bool powered(unsigned port) const;
  [[nodiscard]] unsigned port_count() const { return static_cast<unsigned>(ports_.size()); }

 protected:
  std::optional<std::size_t> class_request(const SetupPacket& setup, std::span<std::uint8_t> data) override;

 private:
  struct Port {
    bool powered = true;
    bool connected = false;
    bool connection_changed = false;
  };

  [[nodiscard]] Bytes hub_descriptor() const;
  [[nodiscard]] unsigned status_of(const Port& port) const;
  std::optional<std::size_t> port_request(const SetupPacket& setup, std::span<std::uint8_t> data);

  const bool superspeed_;
  const bool switches_ports_;
  std::vector<Port> ports_;
};

}  // namespace virtual_lab
