// The boards on a guest kernel's own USB stack: each port is a Unix socket, to which QEMU's usb-redir connects, again
// and again if need be. What is plugged, claimed or powered on the guest's side is the guest's to know.
#pragma once

#include <filesystem>
#include <map>

#include "boards/virtual/board_bus.h"
#include "boards/virtual/lab_log.h"

namespace virtual_lab {

class RedirBus : public BoardBus {
 public:
  // The socket of port 1 is 1-1.sock in `folder`, from the first plug there on. `loop` outlives the bus. `log_file` may
  // be the lab's own.
  RedirBus(EventLoop& loop, std::filesystem::path folder, const std::filesystem::path& log_file);
  ~RedirBus() override;

  // There is no hub of ours.
  void show_power(unsigned /*port*/, bool /*on*/) override {}
  [[nodiscard]] Result<std::unique_ptr<PluggedDevice>> plug(const Plug& plug) override;

 private:
  class Port;
  class Plugged;

  EventLoop& loop_;
  const std::filesystem::path folder_;
  LabLog log_;
  std::map<unsigned, std::unique_ptr<Port>> ports_;
};

}  // namespace virtual_lab
