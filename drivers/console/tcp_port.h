// A console behind a terminal server: raw TCP, or telnet.
#pragma once

#include "drivers/console/console_config.h"
#include "drivers/console/console_port.h"

namespace hilmark {

class TcpPort final : public ConsolePort {
 public:
  static constexpr Milliseconds connect_limit{5000};

  /// Connects within `limit`, once the name is resolved: the system's resolver cannot be ended, and has limits of its
  /// own (resolv.conf). Errors: usage (no such host; a bad address), rig (refused, unreachable), timeout.
  [[nodiscard]] static Result<std::unique_ptr<ConsolePort>> open(const ConsoleConfig& config, Callbacks callbacks,
                                                                 Milliseconds limit = connect_limit);
  ~TcpPort() override;
  [[nodiscard]] Result<void> write(ByteView data, Milliseconds limit) override;
  [[nodiscard]] std::string device_text() const override { return text_; }

 private:
  struct Inner;
  explicit TcpPort(std::string text);
  std::string text_;
  std::unique_ptr<Inner> inner_;
};

}  // namespace hilmark
