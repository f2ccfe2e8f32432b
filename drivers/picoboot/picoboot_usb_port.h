// PICOBOOT over libusb, and the ways by which a running application is asked for its bootloader.
#pragma once

#include <memory>

#include "drivers/picoboot/picoboot_port.h"
#include "drivers/usb/usb_device.h"

namespace hilmark {

class PicobootUsbPort final : public PicobootPort {
 public:
  /// Claims the PICOBOOT interface, which is known by its class and its two bulk endpoints, not by its number. Errors:
  /// usage (none there; permission, in use), rig (gone).
  [[nodiscard]] static Result<std::unique_ptr<PicobootUsbPort>> open(const UsbContext& context,
                                                                     const UsbPlugged& plugged);

  [[nodiscard]] Answer send(ByteView data) override;
  [[nodiscard]] Answer receive(std::size_t size_bytes) override;
  [[nodiscard]] Answer command_status() override;
  [[nodiscard]] Answer reset_interface() override;
  [[nodiscard]] std::string device_text() const override { return device_->plugged().text(); }

 private:
  explicit PicobootUsbPort(std::unique_ptr<UsbDevice> device) : device_(std::move(device)) {}
  std::unique_ptr<UsbDevice> device_;
  std::uint16_t interface_ = 0;
  std::uint8_t out_endpoint_ = 0;
  std::uint8_t in_endpoint_ = 0;
};

/// Asks the reset interface of a running application (class 0xFF, subclass 0, protocol 1, as the Pico SDK's USB stdio
/// has it) for the bootloader, which arrives then. False if it has no such interface. Errors: usage, rig, unit
/// (refused).
[[nodiscard]] Result<bool> bootsel_request(const UsbContext& context, const UsbPlugged& plugged);
/// Sets the CDC-ACM console to 1200 baud and drops DTR: applications of the Pico SDK and of Arduino's cores take either
/// for a request for the bootloader. False if it has no console. No application says whether it does so: wait for the
/// arrival. Errors: usage (the console is in use), rig, unit.
[[nodiscard]] Result<bool> bootsel_touch(const UsbContext& context, const UsbPlugged& plugged);

}  // namespace hilmark
