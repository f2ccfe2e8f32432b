// One opened USB device: interfaces and transfers, each with a time limit.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "drivers/usb/usb_context.h"
#include "drivers/usb/usb_failure.h"
#include "harness/base/bytes.h"

struct libusb_device_handle;

namespace hilmark {

/// The setup packet of a control transfer, without its length (USB 2.0 section 9.3).
struct UsbSetup {
  std::uint8_t request_type = 0;
  std::uint8_t request = 0;
  std::uint16_t value = 0;
  std::uint16_t index = 0;
};

struct UsbEndpoint {
  std::uint8_t address = 0;  ///< bit 7: towards the host
  bool is_bulk = false;
  int max_packet_bytes = 0;
};

/// One alternate setting of an interface, with the class-specific descriptors behind it.
struct UsbInterface {
  int number = 0;
  int alternate = 0;
  int interface_class = 0;
  int subclass = 0;
  int protocol = 0;
  int name_index = 0;  ///< string descriptor, 0: none
  std::vector<UsbEndpoint> endpoints;
  Bytes extra;

  /// The address of the first bulk endpoint of that direction, or 0, which is never one.
  [[nodiscard]] std::uint8_t bulk_endpoint(bool towards_host) const;
};

class UsbInStream;

/// Errors of all methods are told with the device's ids, serial number and port. Not thread-safe, but transfers may run
/// beside a UsbInStream of the same device.
class UsbDevice {
 public:
  /// Opens what `watcher` sees now, if its ids are `id`; reads its serial number.
  [[nodiscard]] static UsbResult<std::unique_ptr<UsbDevice>> open(const UsbContext& context, const UsbPlugged& plugged);
  ~UsbDevice();  ///< releases all interfaces
  UsbDevice(const UsbDevice&) = delete;
  UsbDevice& operator=(const UsbDevice&) = delete;

  [[nodiscard]] const UsbPlugged& plugged() const { return plugged_; }
  [[nodiscard]] const std::vector<UsbInterface>& interfaces() const { return interfaces_; }
  /// The error where `what` is not among them (usage: `why`; unit: its descriptors end amidst what they announce).
  [[nodiscard]] Error lacks(std::string_view what, std::string_view why) const;
  /// A string descriptor as ASCII.
  [[nodiscard]] UsbResult<std::string> text(int string_index);
  /// The 16 octets that all parts of one physical device have in common (USB 3.2 section 9.6.2.3: BOS descriptor,
  /// Container ID capability). Empty: it tells none.
  [[nodiscard]] Bytes container_id();

  /// Detaches a kernel driver for as long as the interface is claimed.
  [[nodiscard]] UsbResult<void> claim(int interface_number);
  void release(int interface_number);
  [[nodiscard]] UsbResult<void> set_alternate(int interface_number, int alternate);

  [[nodiscard]] UsbResult<void> control_out(const UsbSetup& setup, ByteView data, Milliseconds limit);
  /// What came, which may be shorter than `length`.
  [[nodiscard]] UsbResult<Bytes> control_in(const UsbSetup& setup, std::uint16_t length, Milliseconds limit);
  /// No data: one empty packet.
  [[nodiscard]] UsbResult<void> bulk_out(std::uint8_t endpoint, ByteView data, Milliseconds limit);
  /// What came until a short packet (an empty one counts) ended it, at most `length` bytes.
  [[nodiscard]] UsbResult<Bytes> bulk_in(std::uint8_t endpoint, std::size_t length, Milliseconds limit);
  /// Ends the halt that follows a stall (USB 2.0 section 9.4.1, ENDPOINT_HALT), at the host and at the device.
  [[nodiscard]] UsbResult<void> clear_halt(std::uint8_t endpoint);
  /// Makes the device enumerate anew, as DFU 1.1 section 5.1 asks of the host after DETACH. That it is not there any
  /// more then, or as another, is success.
  [[nodiscard]] UsbResult<void> reset_bus();
  /// Lets exactly that time pass, unless the device leaves the bus first, which is a failure (gone).
  [[nodiscard]] UsbResult<void> wait(Milliseconds time);

 private:
  friend class UsbInStream;
  UsbDevice(const UsbContext& context, UsbPlugged plugged) : context_(context), plugged_(std::move(plugged)) {}
  UsbResult<void> read_interfaces();
  /// Hands the transfer to whoever records, with what came of it.
  template <class T>
  [[nodiscard]] UsbResult<T> recorded(UsbTransfer transfer, UsbResult<T> result) const;
  [[nodiscard]] UsbResult<void> do_control_out(const UsbSetup& setup, ByteView data, Milliseconds limit);
  [[nodiscard]] UsbResult<Bytes> do_control_in(const UsbSetup& setup, std::uint16_t length, Milliseconds limit);
  [[nodiscard]] UsbResult<void> do_bulk_out(std::uint8_t endpoint, ByteView data, Milliseconds limit);
  [[nodiscard]] UsbResult<Bytes> do_bulk_in(std::uint8_t endpoint, std::size_t length, Milliseconds limit);
  /// Tells an I/O error that an unplugging causes from any other.
  [[nodiscard]] tl::unexpected<UsbFailure> failure(int code, std::string_view what);

  const UsbContext& context_;
  UsbPlugged plugged_;
  libusb_device_handle* handle_ = nullptr;
  std::vector<UsbInterface> interfaces_;
  bool descriptors_are_cut_ = false;
  std::set<int> claimed_;
};

/// Keeps bulk IN transfers pending on an endpoint and hands on what comes, until destroyed.
class UsbInStream {
 public:
  /// Both are called on the USB event thread and must not destroy the stream; `on_closed` at most once, if it ended by
  /// itself.
  struct Callbacks {
    std::function<void(ByteView)> on_data;
    std::function<void(const UsbFailure&)> on_closed;
  };
  [[nodiscard]] static UsbResult<std::unique_ptr<UsbInStream>> start(UsbDevice& device, std::uint8_t endpoint,
                                                                     Callbacks callbacks);
  ~UsbInStream();  ///< returns when no callback runs any more; before its device goes
  UsbInStream(const UsbInStream&) = delete;
  UsbInStream& operator=(const UsbInStream&) = delete;

 private:
  struct Impl;
  explicit UsbInStream(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace hilmark
