// The chip's core: runs the code of an image as a process (boards/wire.md, "Native core").
#pragma once

#include <functional>
#include <memory>
#include <string>

#include <sys/types.h>

#include "boards/virtual/event_loop.h"
#include "boards/virtual/image.h"
#include "boards/virtual/network_namespace.h"
#include "boards/virtual/result.h"

namespace virtual_lab {

class NativeCore {
 public:
  struct Ports {
    std::function<void(ByteView)> console_output;
    // May destroy the core. Whatever the firmware wrote to its console before it asked has been handed over.
    std::function<void(ByteView)> bus_request;
    std::function<void(std::string_view)> error_output;
    std::function<void()> console_has_room;
    // The process ended by itself; the text says how. May destroy the core.
    std::function<void(std::string)> ended;
  };

  // To be called from the process's main thread, which lives as long as the lab: the core dies with that thread.
  // `network` may be null.
  [[nodiscard]] static Result<std::unique_ptr<NativeCore>> start(EventLoop& loop, const std::string& name,
                                                                 const FirmwareImage& image,
                                                                 const NetworkNamespace* network, Ports ports);
  NativeCore(const NativeCore&) = delete;
  NativeCore& operator=(const NativeCore&) = delete;
  // SIGKILL at whatever it is doing: a power cut.
  ~NativeCore();

  [[nodiscard]] pid_t pid() const { return pid_; }

  // Bytes that the firmware has room for now; less than all of them: console_has_room will be called.
  [[nodiscard]] std::size_t write_console(ByteView bytes);
  void reply_on_bus(ByteView reply);

 private:
  NativeCore(EventLoop& loop, Ports ports) : loop_(loop), ports_(std::move(ports)) {}
  Result<void> spawn(const std::string& name, const FirmwareImage& image, const NetworkNamespace* network);
  void watch_console(bool for_room);
  // False once there is nothing more to read now.
  bool read_console();
  void read_errors();
  void serve_bus();
  void process_ended();

  EventLoop& loop_;
  Ports ports_;
  pid_t pid_ = 0;
  UniqueFd process_;
  UniqueFd console_;
  UniqueFd bus_;
  UniqueFd errors_;
};

}  // namespace virtual_lab
