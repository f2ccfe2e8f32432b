#include "drivers/console/open_console_port.h"

#include "drivers/console/cdc_acm_port.h"
#include "drivers/console/command_port.h"
#include "drivers/console/serial_port.h"
#include "drivers/console/tcp_port.h"

namespace hilmark {
namespace {

std::vector<std::string> filled(std::vector<std::string> command, const std::optional<UsbPlugged>& plugged) {
  for (std::string& word : command) {
    replace_all(word, "{port}", plugged ? plugged->port : "");
    replace_all(word, "{serial}", plugged ? plugged->serial : "");
  }
  return command;
}

}  // namespace

Result<std::unique_ptr<ConsolePort>> open_console_port(const ConsoleConfig& config, const ConsolePlace& place,
                                                       ConsolePort::Callbacks callbacks) {
  if (const auto checked = check(config); !checked) return fail(checked.error(), "console");
  if (config.transport == "tcp") return TcpPort::open(config, std::move(callbacks));
  if (config.transport == "command") {
    return CommandPort::open(filled(config.command, place.plugged), std::move(callbacks));
  }
  if (!place.plugged) {
    return fail(ErrorKind::rig, "a console by {} needs the unit's USB device, and none is plugged", config.transport);
  }
  if (config.transport == "serial") return SerialPort::open({.plugged = *place.plugged}, config, std::move(callbacks));
  if (place.usb == nullptr) return fail(ErrorKind::rig, "a console by cdc-acm needs USB");
  return CdcAcmPort::open(*place.usb, *place.plugged, std::move(callbacks), config);
}

}  // namespace hilmark
