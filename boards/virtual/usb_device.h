// A USB device as its bus sees it: descriptors, control requests, and endpoints that take or give bytes. No I/O and no
// threads: whoever carries the transfers asks, and holds the board's lock meanwhile. Chapter numbers: USB 2.0.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "boards/virtual/faults.h"
#include "boards/virtual/little_endian.h"

namespace virtual_lab {

// Chapter 9.3.
struct SetupPacket {
  std::uint8_t request_type = 0;
  std::uint8_t request = 0;
  std::uint16_t value = 0;
  std::uint16_t index = 0;
  std::uint16_t length = 0;

  static constexpr std::size_t size_bytes = 8;
  [[nodiscard]] static SetupPacket parse(ByteView bytes);
  [[nodiscard]] bool to_host() const { return (request_type & 0x80) != 0; }
  [[nodiscard]] bool is_standard() const { return (request_type & 0x60) == 0; }
  [[nodiscard]] bool for_interface() const { return (request_type & 0x1f) == 1; }
};

// Answer of an endpoint to one attempt: it took or gave bytes, it has no room or nothing to say now, or it is halted.
enum class Handshake { ack, nak, stall };

struct BulkStep {
  Handshake handshake = Handshake::stall;
  std::size_t bytes = 0;
};

// What a device wants from the world around it.
struct DeviceEvent {
  enum class Kind {
    start_image,       // DfuSe "leave": the bootloader jumps to the application
    enter_bootloader,  // DFU DETACH, the reset interface, or 1200 baud
    restart,           // the chip resets itself
    bus_reset,         // the host's: a bootloader restarts, an application goes to the bootloader; both at once
    port_power,        // hub: `port` is to be switched `on`
    console_input,     // bytes from the host wait for the firmware
    unplug,            // a fault's: the cable goes, as by `virtual-lab ctl unplug`
    retry,             // what an endpoint answered NAK is to be tried again after `delay`
  };
  Kind kind;
  unsigned port = 0;
  bool on = false;
  std::chrono::milliseconds delay{0};
};

// idVendor and idProduct.
struct UsbIds {
  std::uint16_t vendor = 0;
  std::uint16_t product = 0;

  friend bool operator==(const UsbIds&, const UsbIds&) = default;
};

struct UsbInterface {
  std::uint8_t number = 0;
  std::uint8_t class_code = 0;
  std::uint8_t subclass = 0;
  std::uint8_t protocol = 0;
  std::uint8_t name_index = 0;
  std::vector<std::uint8_t> endpoints;
};

struct UsbDescriptors {
  Bytes device;                      // chapter 9.6.1
  Bytes configuration;               // chapter 9.6.3, with all that belongs to it
  Bytes bos;                         // USB 3.2, chapter 9.6.2, with its capabilities; empty: it has none
  std::vector<std::string> strings;  // from index 1 on: manufacturer, product, serial number, then others
  unsigned speed_megabits = 12;

  [[nodiscard]] unsigned vendor_id() const { return device[8] | device[9] << 8; }
  [[nodiscard]] unsigned product_id() const { return device[10] | device[11] << 8; }
  // Alternate setting 0 of each interface.
  [[nodiscard]] std::vector<UsbInterface> interfaces() const;
};

struct DeviceIdentity {
  std::uint16_t usb_version = 0x0200;
  std::uint8_t class_code = 0;
  std::uint8_t subclass = 0;
  std::uint8_t protocol = 0;
  std::uint16_t vendor_id = 0;
  std::uint16_t product_id = 0;
  std::uint16_t device_version = 0;
  std::uint8_t max_packet_size0 = 64;  // of a SuperSpeed device the exponent of 2
};

// Strings 1, 2 and 3 name manufacturer, product and serial number.
[[nodiscard]] Bytes device_descriptor(const DeviceIdentity& identity);

struct ConfigurationShape {
  std::uint8_t interfaces = 1;
  std::uint8_t attributes = 0x80;  // bus powered
  std::uint8_t max_power_2ma = 50;
};
[[nodiscard]] Bytes configuration_descriptor(const ConfigurationShape& shape, const Bytes& what_belongs_to_it);

class UsbDevice {
 public:
  explicit UsbDevice(UsbDescriptors descriptors) : descriptors_(std::move(descriptors)) {}
  UsbDevice(const UsbDevice&) = delete;
  UsbDevice& operator=(const UsbDevice&) = delete;
  virtual ~UsbDevice() = default;

  [[nodiscard]] const UsbDescriptors& descriptors() const { return descriptors_; }
  // A lab may have it say something else of itself. Before it comes onto the bus.
  void describe_as(UsbDescriptors descriptors) { descriptors_ = std::move(descriptors); }

  // `data` has setup.length bytes: the data stage to the device, or room for the one to the host. Returns the bytes
  // that were transferred; nothing for a stall.
  [[nodiscard]] std::optional<std::size_t> control(const SetupPacket& setup, std::span<std::uint8_t> data);
  [[nodiscard]] virtual BulkStep bulk_out(std::uint8_t endpoint, ByteView data);
  [[nodiscard]] virtual BulkStep bulk_in(std::uint8_t endpoint, std::span<std::uint8_t> into);
  virtual void bus_reset() {}
  // From then on no transfer is answered, the one under way neither: whoever carries them gives the host the error of a
  // device that does not respond, not a stall.
  [[nodiscard]] bool pulled_out() const { return pulled_out_; }
  // The same, but the device stays: whoever carries the transfers lets them wait for ever.
  [[nodiscard]] bool silent() const { return silent_; }

  [[nodiscard]] std::vector<DeviceEvent> take_events() { return std::exchange(events_, {}); }

 protected:
  [[nodiscard]] virtual std::optional<std::size_t> class_request(const SetupPacket& setup,
                                                                 std::span<std::uint8_t> data) = 0;
  void emit(DeviceEvent event) { events_.push_back(event); }
  // Whether a host has enumerated it to the end (chapter 9.1.1): until then bus resets are part of that.
  [[nodiscard]] bool configured() const { return configuration_ != 0; }
  // Counts a transfer. If true its answer is a stall, or none at all: see pulled_out() and silent().
  [[nodiscard]] bool struck_by(TransferFaults& faults);
  // Copies as much of `answer` as the host has room for.
  [[nodiscard]] static std::size_t give(ByteView answer, std::span<std::uint8_t> room);

 private:
  [[nodiscard]] std::optional<std::size_t> standard_request(const SetupPacket& setup, std::span<std::uint8_t> data);
  [[nodiscard]] std::optional<Bytes> string_descriptor(unsigned index) const;

  UsbDescriptors descriptors_;
  std::vector<DeviceEvent> events_;
  std::uint8_t configuration_ = 0;
  bool pulled_out_ = false;
  bool silent_ = false;
};

}  // namespace virtual_lab
