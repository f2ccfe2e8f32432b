// The application's USB side: a CDC-ACM console, and a DFU run-time interface or a Pico's reset interface
// (boards/wire.md, "The virtual lab").
#pragma once

#include <array>
#include <deque>

#include "boards/virtual/dfu_bootloader.h"
#include "boards/virtual/usb_device.h"

namespace virtual_lab {

// What the application says of its DFU run-time interface.
struct RuntimeDfu {
  bool will_detach = true;         // else DETACH waits for the host's bus reset
  std::uint16_t version = 0x011a;  // bcdDFUVersion of the bootloader
};

struct ApplicationKind {
  // How the host asks the application for the bootloader.
  enum class WayDown {
    dfu,              // a DFU run-time interface: DETACH
    reset_interface,  // the Pico SDK's: a vendor interface, and 1200 baud on the console
  };
  UsbIds ids{0x0483, 0x5740};
  WayDown way_down = WayDown::dfu;
  RuntimeDfu dfu;
};

class CdcModel : public UsbDevice {
 public:
  static constexpr std::uint8_t notification_in = 0x82;
  static constexpr std::uint8_t data_out = 0x01;
  static constexpr std::uint8_t data_in = 0x81;
  // Output that no host reads is kept up to here; then the oldest goes, so that a firmware never waits for a reader.
  static constexpr std::size_t output_bytes = 64UL * 1024;
  // Input that the firmware does not take is kept up to here; then the endpoint answers NAK.
  static constexpr std::size_t input_bytes = 2048;

  explicit CdcModel(const std::string& serial, const ApplicationKind& kind = {},
                    MonotonicClock clock = &std::chrono::steady_clock::now, const TransferFaults& faults = {});

  [[nodiscard]] BulkStep bulk_out(std::uint8_t endpoint, ByteView data) override;
  [[nodiscard]] BulkStep bulk_in(std::uint8_t endpoint, std::span<std::uint8_t> into) override;
  // DFU 1.1, appendix A.2.2: within the detach time it is the way into the bootloader, where DETACH alone is not.
  void bus_reset() override;

  // The firmware's side of the console.
  void write_output(ByteView bytes);
  [[nodiscard]] Bytes pending_input() const { return {input_.begin(), input_.end()}; }
  void consume_input(std::size_t bytes);
  [[nodiscard]] std::uint64_t dropped_output_bytes() const { return dropped_output_bytes_; }

 protected:
  std::optional<std::size_t> class_request(const SetupPacket& setup, std::span<std::uint8_t> data) override;

 private:
  std::optional<std::size_t> console_request(const SetupPacket& setup, std::span<std::uint8_t> data);
  std::optional<std::size_t> dfu_request(const SetupPacket& setup, std::span<std::uint8_t> data);
  std::optional<std::size_t> reset_request(const SetupPacket& setup);
  void leave_for_bootloader(DeviceEvent::Kind event = DeviceEvent::Kind::enter_bootloader);
  [[nodiscard]] bool detaching() const;

  std::deque<std::uint8_t> output_;
  std::deque<std::uint8_t> input_;
  std::uint64_t dropped_output_bytes_ = 0;
  std::array<std::uint8_t, 7> line_coding_{0x00, 0xc2, 0x01, 0x00, 0, 0, 8};  // 115200 8N1
  const ApplicationKind kind_;
  MonotonicClock clock_;
  TransferFaults faults_;
  std::chrono::steady_clock::time_point detach_until_;  // without will_detach
  bool detached_ = false;
};

}  // namespace virtual_lab
