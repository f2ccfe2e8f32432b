// How DFU requests reach a bootloader.
#pragma once

#include <variant>

#include "drivers/dfu/dfu_protocol.h"
#include "harness/base/bytes.h"
#include "harness/base/error.h"

namespace hilmark {

class DfuPort {
 public:
  struct Stall {};
  /// What came (nothing for requests that send), a stall, or the link's failure.
  using Answer = Result<std::variant<Bytes, Stall>>;

  virtual ~DfuPort() = default;
  [[nodiscard]] virtual Answer send(DfuRequest request, std::uint16_t value, ByteView data) = 0;
  [[nodiscard]] virtual Answer receive(DfuRequest request, std::uint16_t value, std::uint16_t size_bytes) = 0;
  /// Lets exactly `time` pass; fails as soon as the board leaves.
  [[nodiscard]] virtual Result<void> wait(Milliseconds time) = 0;
  /// The host's part where a board cannot leave by itself (DFU 1.1 sections 5.1 and 7); it may come back as another.
  /// Fails where the board is still there, and was not reset.
  [[nodiscard]] virtual Result<void> reset_bus() = 0;
  [[nodiscard]] virtual std::string device_text() const = 0;  ///< ids, serial number and port, for messages
};

}  // namespace hilmark
