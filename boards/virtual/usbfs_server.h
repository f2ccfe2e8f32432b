// usbfs behind device nodes that umockdev's preload library redirects: each ioctl of a client's open node arrives here
// over a Unix stream socket, as umockdev 0.17.16 speaks it. One thread serves one open descriptor.
#pragma once

#include <condition_variable>
#include <filesystem>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "boards/virtual/event_loop.h"
#include "boards/virtual/result.h"
#include "boards/virtual/unique_fd.h"
#include "boards/virtual/usbfs_device.h"

namespace virtual_lab {

// The threads that serve open descriptors. They outlive an unplug, since a client whose connection ends abort()s.
class UsbfsClients {
 public:
  ~UsbfsClients() { disconnect_all(); }

  void serve(UniqueFd connection, std::shared_ptr<UsbfsDevice> device);
  // Ends all connections and waits for their threads.
  void disconnect_all();

 private:
  void finished(UniqueFd connection);

  std::mutex mutex_;
  std::condition_variable changed_;
  std::set<int> connections_;
};

// The node of one plugged device: from construction on it can be opened, with destruction it is unplugged.
class UsbfsNode {
 public:
  struct Place {
    std::filesystem::path root;  // $UMOCKDEV_DIR
    std::string node;            // as clients name it: /dev/bus/usb/001/002
  };

  [[nodiscard]] static Result<std::unique_ptr<UsbfsNode>> make(EventLoop& loop, UsbfsClients& clients,
                                                               const Place& place, std::shared_ptr<UsbfsDevice> device);
  UsbfsNode(const UsbfsNode&) = delete;
  UsbfsNode& operator=(const UsbfsNode&) = delete;
  ~UsbfsNode();

  [[nodiscard]] UsbfsDevice& device() { return *device_; }

 private:
  UsbfsNode(EventLoop& loop, UsbfsClients& clients, std::shared_ptr<UsbfsDevice> device)
      : loop_(loop), clients_(clients), device_(std::move(device)) {}
  Result<void> listen(const std::filesystem::path& path);
  Result<void> make_fifo(const std::filesystem::path& path);
  void accept_all();

  EventLoop& loop_;
  UsbfsClients& clients_;
  const std::shared_ptr<UsbfsDevice> device_;
  UniqueFd listener_;
  std::filesystem::path socket_path_;
  std::filesystem::path fifo_path_;
};

}  // namespace virtual_lab
