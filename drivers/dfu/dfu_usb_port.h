// DFU over libusb: finds the DFU interface of a device and speaks to it.
#pragma once

#include "drivers/dfu/dfu_port.h"
#include "drivers/dfu/dfuse_flasher.h"
#include "drivers/usb/usb_device.h"

namespace hilmark {

class DfuUsbPort final : public DfuPort {
 public:
  /// Claims the DfuSe interface whose memory holds `address`. Errors: usage (no such memory; permission, in use), rig
  /// (gone).
  [[nodiscard]] static Result<std::unique_ptr<DfuUsbPort>> open(const UsbContext& context, const UsbPlugged& plugged,
                                                                std::uint32_t address);
  /// Claims the first plain DFU interface, with its first alternate setting. Errors as above.
  [[nodiscard]] static Result<std::unique_ptr<DfuUsbPort>> open_plain(const UsbContext& context,
                                                                      const UsbPlugged& plugged);
  /// Its layout is empty for plain DFU.
  [[nodiscard]] const DfuSeMemory& memory() const { return memory_; }

  [[nodiscard]] Answer send(DfuRequest request, std::uint16_t value, ByteView data) override;
  [[nodiscard]] Answer receive(DfuRequest request, std::uint16_t value, std::uint16_t size_bytes) override;
  [[nodiscard]] Result<void> wait(Milliseconds time) override;
  [[nodiscard]] Result<void> reset_bus() override;
  [[nodiscard]] std::string device_text() const override { return device_->plugged().text(); }

 private:
  explicit DfuUsbPort(std::unique_ptr<UsbDevice> device) : device_(std::move(device)) {}
  /// One that has a DFU interface, with its functional descriptor read, and nothing claimed.
  [[nodiscard]] static Result<std::unique_ptr<DfuUsbPort>> attach(const UsbContext& context, const UsbPlugged& plugged);
  [[nodiscard]] Result<void> choose(const UsbInterface& interface);
  std::unique_ptr<UsbDevice> device_;
  DfuSeMemory memory_;
  std::uint16_t interface_ = 0;
};

/// What a DETACH consists of (DFU 1.1 section 5.1).
struct DfuDetachPlan {
  std::uint16_t timeout_ms = 0;  ///< wTimeout: how long the board waits for the reset; no more than its wDetachTimeOut
  bool host_resets_bus = false;  ///< at once, so within that time; not where the board detaches by itself
};
[[nodiscard]] DfuDetachPlan plan_dfu_detach(const DfuFunctional& functional);

/// Sends a running application's DFU run-time interface a DETACH, and resets the bus where that is the host's part; its
/// bootloader arrives then. False: it has no such interface.
[[nodiscard]] Result<bool> dfu_detach(const UsbContext& context, const UsbPlugged& plugged);

}  // namespace hilmark
