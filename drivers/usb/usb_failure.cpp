#include "drivers/usb/usb_failure.h"

#include <libusb.h>

namespace hilmark {
namespace {

UsbFailure translate(int code, std::string_view what, const UsbPlugged& device) {
  const std::string who = device.text();
  switch (code) {
    case LIBUSB_ERROR_NO_DEVICE:
      return {UsbFault::gone,
              {ErrorKind::rig, fmt::format("{}: {} has left the bus; check its cable and its power", what, who)}};
    case LIBUSB_ERROR_NOT_FOUND:
      return {UsbFault::other,
              {ErrorKind::rig, fmt::format("{}: {} has no such interface or endpoint; is it the board that the "
                                           "lab file names?",
                                           what, who)}};
    case LIBUSB_ERROR_PIPE:
      return {UsbFault::stall, {ErrorKind::unit, fmt::format("{}: {} refused the request (stall)", what, who)}};
    case LIBUSB_ERROR_TIMEOUT:
      return {UsbFault::timeout,
              {ErrorKind::timeout, fmt::format("{}: {} did not answer in time; reset it or plug it "
                                               "anew if that stays",
                                               what, who)}};
    case LIBUSB_ERROR_ACCESS:
      return {UsbFault::access,
              {ErrorKind::usage,
               fmt::format("{}: permission denied for {}; put this line into /etc/udev/rules.d/60-hilmark.rules, run "
                           "`udevadm control --reload`, and plug it anew: {}",
                           what, who, udev_rule(device.id))}};
    case LIBUSB_ERROR_BUSY:
      return {UsbFault::busy,
              {ErrorKind::usage, fmt::format("{}: {} is in use by another program; end that first", what, who)}};
    case LIBUSB_ERROR_OVERFLOW:
      return {UsbFault::other, {ErrorKind::unit, fmt::format("{}: {} sent more than it was asked for", what, who)}};
    default:
      return {UsbFault::other,
              {ErrorKind::rig, fmt::format("{}: {}: {} ({}); check cable and hub", what, who, libusb_strerror(code),
                                           libusb_error_name(code))}};
  }
}

}  // namespace

tl::unexpected<UsbFailure> usb_failure(int libusb_error, std::string_view what, const UsbPlugged& device) {
  return tl::unexpected<UsbFailure>(translate(libusb_error, what, device));
}

}  // namespace hilmark
