// A console's port, by the name of its transport.
#pragma once

#include "drivers/console/console_config.h"
#include "drivers/console/console_port.h"
#include "drivers/usb/usb_context.h"

namespace hilmark {

/// The unit's USB device as it is plugged now: where cdc-acm and serial find the console, and what fills a command's
/// {port} and {serial}. A tcp or command console needs none.
struct ConsolePlace {
  const UsbContext* usb = nullptr;  ///< outlives the port
  std::optional<UsbPlugged> plugged;
};

/// Errors: those of check(), and of CdcAcmPort, SerialPort, TcpPort or CommandPort.
[[nodiscard]] Result<std::unique_ptr<ConsolePort>> open_console_port(const ConsoleConfig& config,
                                                                     const ConsolePlace& place,
                                                                     ConsolePort::Callbacks callbacks);

}  // namespace hilmark
