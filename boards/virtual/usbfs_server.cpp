#include "boards/virtual/usbfs_server.h"

#include <system_error>
#include <thread>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "boards/virtual/unix_socket.h"
#include "boards/virtual/usbfs_session.h"

namespace virtual_lab {
namespace {

// libusb waits for POLLOUT on the node before it reaps. The node is a FIFO with room for one write: while a byte of
// ours lies in it, it is not writable, and the client sleeps; taking the byte out wakes it.
class PollSwitch {
 public:
  explicit PollSwitch(UniqueFd fifo) : fifo_(std::move(fifo)) {}

  void set(bool writable) {
    if (writable == writable_) return;
    writable_ = writable;
    char byte = 0;
    [[maybe_unused]] const ssize_t moved = writable ? ::read(fifo_.get(), &byte, 1) : ::write(fifo_.get(), &byte, 1);
  }

 private:
  UniqueFd fifo_;
  bool writable_ = true;
};

}  // namespace

void UsbfsClients::serve(UniqueFd connection, std::shared_ptr<UsbfsDevice> device) {
  const int fd = connection.get();
  {
    const std::lock_guard lock(mutex_);
    connections_.insert(fd);
  }
  auto shared = std::make_shared<UniqueFd>(std::move(connection));
  try {
    std::thread([this, shared, device = std::move(device)]() mutable {
      serve_usbfs_session(shared->get(), *device);
      device.reset();
      finished(std::move(*shared));
    }).detach();
  } catch (const std::system_error&) {
    finished(std::move(*shared));  // no thread to be had: the client sees its connection end
  }
}

void UsbfsClients::finished(UniqueFd connection) {
  const std::lock_guard lock(mutex_);
  connections_.erase(connection.get());
  connection.reset();
  changed_.notify_all();
}

void UsbfsClients::disconnect_all() {
  std::unique_lock lock(mutex_);
  for (const int fd : connections_) ::shutdown(fd, SHUT_RDWR);
  changed_.wait(lock, [&] { return connections_.empty(); });
}

Result<std::unique_ptr<UsbfsNode>> UsbfsNode::make(EventLoop& loop, UsbfsClients& clients, const Place& place,
                                                   std::shared_ptr<UsbfsDevice> device) {
  std::unique_ptr<UsbfsNode> node(new UsbfsNode(loop, clients, std::move(device)));
  // The preload library looks for a node's socket below "ioctl". It must listen before anybody can open the node.
  const auto listening = node->listen(place.root / "ioctl" / place.node.substr(1));
  if (!listening) return failure(listening.error());
  const auto made = node->make_fifo(place.root / place.node.substr(1));
  if (!made) return failure(made.error());
  return node;
}

UsbfsNode::~UsbfsNode() {
  std::error_code ignored;
  std::filesystem::remove(fifo_path_, ignored);
  std::filesystem::remove(socket_path_, ignored);
  if (listener_.valid()) {
    loop_.unwatch(listener_.get());
    // Who connected in the last instant is served too, by a device that is gone.
    accept_all();
  }
  device_->disconnect();
}

Result<void> UsbfsNode::listen(const std::filesystem::path& path) {
  constexpr int backlog = 128;
  auto listener = listen_at(path, backlog);
  if (!listener) return failure(listener.error());
  listener_ = std::move(*listener);
  socket_path_ = path;
  loop_.watch(listener_.get(), POLLIN, [this](short) { accept_all(); });
  return {};
}

Result<void> UsbfsNode::make_fifo(const std::filesystem::path& path) {
  const std::filesystem::path temporary = path.string() + ".new";
  UniqueFd fifo;
  std::error_code error;
  std::filesystem::create_directories(path.parent_path(), error);
  if (::mkfifo(temporary.c_str(), 0666) == 0) {
    fifo.reset(::open(temporary.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
  }
  constexpr int one_slot = 4096;
  if (!fifo.valid() || ::fcntl(fifo.get(), F_SETPIPE_SZ, one_slot) < 0 ||
      ::rename(temporary.c_str(), path.c_str()) != 0) {
    return errno_failure(fmt::format("cannot make the FIFO {}", path.string()));
  }
  fifo_path_ = path;
  // Lives as long as a client has the device open: its last URBs must still be reaped.
  auto poll_switch = std::make_shared<PollSwitch>(std::move(fifo));
  poll_switch->set(false);
  device_->on_reapable([poll_switch](bool reapable) { poll_switch->set(reapable); });
  return {};
}

void UsbfsNode::accept_all() {
  while (true) {
    UniqueFd connection(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (connection.valid()) {
      clients_.serve(std::move(connection), device_);
      continue;
    }
    if (errno != EINTR && errno != ECONNABORTED) return;
  }
}

}  // namespace virtual_lab
