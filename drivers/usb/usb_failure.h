// Why a USB request failed: for code that branches (fault) and for people (error).
#pragma once

#include <string_view>

#include "drivers/usb/usb_id.h"
#include "harness/base/error.h"

namespace hilmark {

enum class UsbFault {
  gone,     ///< the device left the bus
  stall,    ///< the device refused the request (STALL handshake)
  timeout,  ///< no answer within the time limit
  access,   ///< the operating system lets us not open it
  busy,     ///< another program, or a kernel driver, holds the interface
  other,
};

struct UsbFailure {
  UsbFault fault = UsbFault::other;
  Error error;
};

template <class T>
using UsbResult = tl::expected<T, UsbFailure>;

/// Translates a libusb_error (negative) once, for everybody. `what` was attempted: "claiming interface 0".
[[nodiscard]] tl::unexpected<UsbFailure> usb_failure(int libusb_error, std::string_view what, const UsbPlugged& device);

/// Where only the message matters.
[[nodiscard]] inline tl::unexpected<Error> fail(const UsbFailure& failure) { return fail(failure.error); }

}  // namespace hilmark
