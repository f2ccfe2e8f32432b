// DFU over libusb: finds the DFU interface of a device and speaks to it.
#pragma once

#include "drivers/dfu/dfu_port.h"
#include "drivers/dfu/dfuse_flasher.h"
#include "drivers/usb/usb_device.h"

namespace hilmark {

class DfuUsbPort final : public DfuPort {
 public:
  /// Claims the interface whose memory holds `address`. Errors: usage (no such memory; permission, in use), rig (gone).
  [[nodiscard]] static Result<std::unique_ptr<DfuUsbPort>> open(const UsbContext& context, const UsbPlugged& plugged,
                                                                std::uint32_t address);
  [[nodiscard]] const DfuSeMemory& memory() const { return memory_; }

  [[nodiscard]] Answer send(DfuRequest request, std::uint16_t value, ByteView data) override;
  [[nodiscard]] Answer receive(DfuRequest request, std::uint16_t value, std::uint16_t size_bytes) override;
  [[nodiscard]] Result<void> wait(Milliseconds time) override;
  [[nodiscard]] std::string device_text() const override { return device_->plugged().text(); }

 private:
  explicit DfuUsbPort(std::unique_ptr<UsbDevice> device) : device_(std::move(device)) {}
  std::unique_ptr<UsbDevice> device_;
  DfuSeMemory memory_;
  std::uint16_t interface_ = 0;
};

/// Sends a running application's DFU run-time interface a DETACH (DFU 1.1 section 5.1); its bootloader arrives then.
/// False: it has no such interface.
[[nodiscard]] Result<bool> dfu_detach(const UsbContext& context, const UsbPlugged& plugged);

}  // namespace hilmark
