// How PICOBOOT's packets and requests reach a bootloader.
#pragma once

#include <string>
#include <variant>

#include "drivers/picoboot/picoboot_protocol.h"
#include "harness/base/bytes.h"
#include "harness/base/error.h"

namespace hilmark {

class PicobootPort {
 public:
  struct Stall {};
  /// What came (nothing for what sends), a stall, or the link's failure: rig (the board left), timeout.
  using Answer = Result<std::variant<Bytes, Stall>>;

  virtual ~PicobootPort() = default;
  [[nodiscard]] virtual Answer send(ByteView data) = 0;  ///< no data: one empty packet
  [[nodiscard]] virtual Answer receive(std::size_t size_bytes) = 0;
  [[nodiscard]] virtual Answer command_status() = 0;
  [[nodiscard]] virtual Answer reset_interface() = 0;
  [[nodiscard]] virtual std::string device_text() const = 0;  ///< ids, serial number and port, for messages
};

}  // namespace hilmark
