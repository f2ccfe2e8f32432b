// What the kernel's usbfs does for one plugged device: claims, URBs and their order, cancellation, unplugging. Clients
// are told apart by opaque numbers, their memory by addresses that are never looked into here. Thread-safe.
//
// One object a plug: once disconnected it is gone for ever, so that a descriptor which was opened before the unplug
// does not come to life again after the next plug.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>

#include "boards/virtual/usb_device.h"

namespace virtual_lab {

using ClientId = std::uint64_t;

enum class UrbType : std::uint8_t { iso = 0, interrupt = 1, control = 2, bulk = 3 };

struct Urb {
  std::uint64_t address = 0;  // the client's struct usbdevfs_urb
  std::uint64_t buffer = 0;   // the client's data
  UrbType type = UrbType::bulk;
  std::uint8_t endpoint = 0;
  bool short_is_an_error = false;
  Bytes data;  // to the device, or room for what comes from it; a control URB begins with its setup packet
  int status = 0;
  std::size_t actual_bytes = 0;
  ClientId client = 0;

  [[nodiscard]] bool to_host() const {
    return type == UrbType::control ? !data.empty() && (data[0] & 0x80) != 0 : (endpoint & 0x80) != 0;
  }
  // Where the data stage begins in `data` and in the client's buffer.
  [[nodiscard]] std::size_t data_offset() const { return type == UrbType::control ? SetupPacket::size_bytes : 0; }
};

class UsbfsDevice {
 public:
  static constexpr std::size_t max_held_urbs = 256;         // a client
  static constexpr std::size_t max_held_bytes = 16U << 20;  // a client; usbfs_memory_mb's default
  static constexpr std::size_t max_control_bytes = 4096;

  // `board_mutex` guards the model, and what else the board's models share.
  UsbfsDevice(std::shared_ptr<UsbDevice> model, std::shared_ptr<std::mutex> board_mutex);

  // Both are called under the lock; they hand over and return.
  void on_event(std::function<void(const DeviceEvent&)> sink) { event_sink_ = std::move(sink); }
  void on_reapable(std::function<void(bool)> sink) { reapable_sink_ = std::move(sink); }

  [[nodiscard]] ClientId open();
  void close(ClientId client);

  // These answer 0 or an errno.
  [[nodiscard]] int claim(ClientId client, unsigned interface);
  [[nodiscard]] int release(ClientId client, unsigned interface);
  [[nodiscard]] int set_interface(ClientId client, unsigned interface, unsigned alternate);
  [[nodiscard]] int submit(ClientId client, std::unique_ptr<Urb> urb);
  [[nodiscard]] int discard(ClientId client, std::uint64_t urb_address);
  [[nodiscard]] int reset();
  // A whole control transfer at once; `data` as for UsbDevice::control. Answers the bytes, or a negative errno.
  [[nodiscard]] int control(ClientId client, const SetupPacket& setup, std::span<std::uint8_t> data);

  struct Reaped {
    std::unique_ptr<Urb> urb;  // none: see error
    int error = 0;
  };
  [[nodiscard]] Reaped reap(ClientId client);

  [[nodiscard]] bool gone() const;
  [[nodiscard]] const UsbDescriptors& descriptors() const { return model_->descriptors(); }

  // Tries anew the URBs that were answered NAK: the model has data or room again.
  void pump();
  // All pending URBs end with -ESHUTDOWN, whatever comes later is answered ENODEV.
  void disconnect();

 private:
  struct Client {
    std::list<std::unique_ptr<Urb>> pending;
    std::deque<std::unique_ptr<Urb>> done;
    std::size_t held_bytes = 0;  // of both
  };

  [[nodiscard]] int check_claim(ClientId client, unsigned interface);
  [[nodiscard]] int check_control(ClientId client, const SetupPacket& setup);
  [[nodiscard]] int check_transfer(ClientId client, const Urb& urb);
  [[nodiscard]] bool has_interface(unsigned interface) const;
  // What a transfer ends with that the model refused: a stall, or what comes of a cable that was pulled out.
  [[nodiscard]] int refusal() const;
  void run_control(Urb& urb);
  void run_endpoint(std::uint8_t endpoint);
  // Returns whether the URB is finished.
  bool step(Urb& urb);
  void finish(Urb& urb, int status);
  void after_model_call();
  void update_reapable();

  const std::shared_ptr<UsbDevice> model_;
  const std::shared_ptr<std::mutex> mutex_;
  const std::vector<UsbInterface> interfaces_;
  std::function<void(const DeviceEvent&)> event_sink_;
  std::function<void(bool)> reapable_sink_;
  std::map<ClientId, Client> clients_;
  std::map<unsigned, ClientId> claims_;
  std::map<std::uint8_t, std::deque<Urb*>> endpoint_queues_;
  ClientId last_client_ = 0;
  bool gone_ = false;
};

}  // namespace virtual_lab
