// A console that is any program's standard input and output: ssh to a lab machine, a vendor's terminal, a script.
#pragma once

#include <string>
#include <vector>

#include "drivers/console/console_port.h"

namespace hilmark {

/// The program is started when the port is opened, and ends with it: by the end of its input, SIGTERM, and SIGKILL for
/// its whole process group after `grace`. It sees the devices that the rig sees. Its standard error is no part of the
/// console; its last words are told with its end.
class CommandPort final : public ConsolePort {
 public:
  static constexpr Milliseconds grace{200};

  /// Errors: usage (no such program, not executable), rig (out of resources).
  [[nodiscard]] static Result<std::unique_ptr<ConsolePort>> open(const std::vector<std::string>& command,
                                                                 Callbacks callbacks);
  ~CommandPort() override;
  [[nodiscard]] Result<void> write(ByteView data, Milliseconds limit) override;
  [[nodiscard]] std::string device_text() const override { return text_; }

 private:
  struct Inner;
  explicit CommandPort(std::string text);
  std::string text_;
  std::unique_ptr<Inner> inner_;
};

}  // namespace hilmark
