// Where a console's octets go to, and come from.
#pragma once

#include <functional>
#include <memory>

#include "harness/base/bytes.h"
#include "harness/base/clock.h"
#include "harness/base/error.h"

namespace hilmark {

class ConsolePort {
 public:
  /// Called on a thread of the port's; they must not destroy it.
  struct Callbacks {
    std::function<void(ByteView)> on_data;
    std::function<void(const Error&)> on_closed;  ///< it ended by itself: unplugged, for instance
  };
  virtual ~ConsolePort() = default;  ///< returns when no callback runs any more
  [[nodiscard]] virtual Result<void> write(ByteView data, Milliseconds limit) = 0;
  [[nodiscard]] virtual std::string device_text() const = 0;
};

/// Opens a port that reports to those callbacks.
using ConsoleOpener = std::function<Result<std::unique_ptr<ConsolePort>>(ConsolePort::Callbacks)>;

}  // namespace hilmark
