// A USB CDC-ACM console, spoken to by libusb (USB PSTN 1.2, section 6.3).
#pragma once

#include "drivers/console/console_config.h"
#include "drivers/console/console_port.h"
#include "drivers/usb/usb_device.h"

namespace hilmark {

class CdcAcmPort final : public ConsolePort {
 public:
  /// Of several CDC-ACM functions the first, or that of config.interface, by the number of either of its interfaces.
  /// Errors: usage (the device has no CDC-ACM interfaces; permission, in use), rig (gone).
  [[nodiscard]] static Result<std::unique_ptr<ConsolePort>> open(const UsbContext& context, const UsbPlugged& plugged,
                                                                 Callbacks callbacks, const ConsoleConfig& config = {});
  [[nodiscard]] Result<void> write(ByteView data, Milliseconds limit) override;
  [[nodiscard]] std::string device_text() const override { return device_->plugged().text(); }

 private:
  explicit CdcAcmPort(std::unique_ptr<UsbDevice> device) : device_(std::move(device)) {}
  [[nodiscard]] UsbResult<void> start(Callbacks callbacks, const ConsoleConfig& config);

  std::unique_ptr<UsbDevice> device_;
  std::uint8_t out_endpoint_ = 0;
  std::unique_ptr<UsbInStream> stream_;  // ends before its device
};

}  // namespace hilmark
