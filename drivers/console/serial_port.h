// A console at the kernel's serial port of a USB device: /dev/ttyACM*, /dev/ttyUSB*.
#pragma once

#include "drivers/console/console_config.h"
#include "drivers/console/console_port.h"
#include "drivers/console/tty_finder.h"
#include "drivers/usb/usb_id.h"

namespace hilmark {

/// Raw mode, no flow control; the modem lines stay as they are when it is closed (HUPCL is off), so that closing resets
/// no board. Nobody else can open it meanwhile (TIOCEXCL, but for root; flock, for those who ask).
class SerialPort final : public ConsolePort {
 public:
  /// How long the tty of a device that has just come, and udev's permissions, are waited for.
  static constexpr Milliseconds tty_limit{2000};

  struct Place {
    UsbPlugged plugged;
    KernelFolders folders = {};
    Milliseconds limit = tty_limit;
  };
  /// Errors: usage (no tty, see find_tty; permission; held by another program, which is named; a speed that the driver
  /// does not have), rig (it went away meanwhile).
  [[nodiscard]] static Result<std::unique_ptr<ConsolePort>> open(const Place& place, const ConsoleConfig& config,
                                                                 Callbacks callbacks);
  ~SerialPort() override;
  [[nodiscard]] Result<void> write(ByteView data, Milliseconds limit) override;
  [[nodiscard]] std::string device_text() const override { return text_; }

 private:
  struct Inner;
  explicit SerialPort(std::string text);
  std::string text_;
  std::unique_ptr<Inner> inner_;
};

}  // namespace hilmark
