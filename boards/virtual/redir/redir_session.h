// One QEMU at one port: the side of the usb-redir protocol that has the device (its "usb host", libusbredirparser's
// usbredirparser.h and usbredirproto.h). Runs in the loop's thread. What the peer sends is bounded by the parser and by
// UsbfsDevice; a peer that does not read its answers is not read from.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "boards/virtual/event_loop.h"
#include "boards/virtual/usbfs_device.h"

struct usbredirparser;
struct usb_redir_bulk_packet_header;
struct usb_redir_control_packet_header;
struct usb_redir_interrupt_packet_header;

namespace virtual_lab {

class RedirSession {
 public:
  struct Listener {
    std::function<void(const std::string&)> log;
    std::function<void()> closed;  // the peer has gone, or does not keep to the protocol; may destroy the session
  };

  // `loop` outlives the session. `connection` is a stream socket.
  RedirSession(EventLoop& loop, UniqueFd connection, Listener listener);
  RedirSession(const RedirSession&) = delete;
  RedirSession& operator=(const RedirSession&) = delete;
  ~RedirSession();

  // A guest's kernel waits up to 800 ms for the end of a port reset (hub_port_wait_reset in its
  // drivers/usb/core/hub.c). A device that comes back within that is taken for the one that left; QEMU's xHCI then has
  // no device for its slot until the kernel has run into several time limits, a minute in all.
  static constexpr std::chrono::milliseconds reset_time{1000};

  // The guest sees the device once the peer has said hello, acknowledged that the one before is gone, and has had time
  // for the port reset by which that went.
  void plug(std::shared_ptr<UsbfsDevice> device);
  // Transfers under way are not answered any more: the peer ends them itself.
  void unplug();
  // Tells what has ended since: to be called after UsbfsDevice::pump.
  void answer();

 private:
  static constexpr std::uint64_t max_output_bytes = 1U << 20;

  void set_callbacks();
  void serve();
  bool transmit();
  void watch();
  int read(std::uint8_t* into, int size);
  int write(const std::uint8_t* from, int size);
  [[nodiscard]] bool output_is_full() const;
  void refuse(const std::string& what);

  void greeted(const std::string& version);
  void announce_when_due();
  void announce();
  void acknowledged();
  void reset();
  void set_configuration(std::uint64_t id, std::uint8_t configuration);
  void get_configuration(std::uint64_t id);
  void set_alternate(std::uint64_t id, std::uint8_t interface, std::uint8_t alternate);
  void get_alternate(std::uint64_t id, std::uint8_t interface);
  void control(std::uint64_t id, usb_redir_control_packet_header header, Bytes data);
  void bulk(std::uint64_t id, usb_redir_bulk_packet_header header, Bytes data);
  void interrupt_out(std::uint64_t id, usb_redir_interrupt_packet_header header, Bytes data);
  void start_receiving(std::uint8_t endpoint);
  void stop_receiving(std::uint8_t endpoint);
  void cancel(std::uint64_t id);

  [[nodiscard]] int submit(std::uint64_t id, UrbType type, std::uint8_t endpoint, Bytes data);
  // UsbfsDevice::control of a standard request. The byte that it gives; negative for an errno.
  [[nodiscard]] int ask_for_byte(const SetupPacket& setup);
  void tell_end(Urb& urb);
  void tell_received(const Urb& urb);

  struct Free {
    void operator()(usbredirparser* parser) const;
  };

  EventLoop& loop_;
  const UniqueFd connection_;
  const Listener listener_;
  const std::unique_ptr<usbredirparser, Free> parser_;
  short watched_events_ = 0;
  bool greeted_ = false;
  bool awaits_acknowledgement_ = false;
  std::chrono::steady_clock::time_point busy_until_;  // with a port reset
  EventLoop::TimerId timer_ = 0;
  bool refused_ = false;
  std::shared_ptr<UsbfsDevice> device_;
  bool announced_ = false;  // the peer knows of device_
  ClientId client_ = 0;     // while it is announced
  // Of its endpoints that the peer listens to all the time: how long a packet may be.
  std::map<std::uint8_t, std::size_t> receiving_;
};

}  // namespace virtual_lab
