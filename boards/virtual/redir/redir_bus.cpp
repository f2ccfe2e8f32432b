#include "boards/virtual/redir/redir_bus.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include "boards/virtual/redir/redir_session.h"
#include "boards/virtual/unix_socket.h"

namespace virtual_lab {

// A socket that stays, with at most one device on this side and one QEMU on the other.
class RedirBus::Port {
 public:
  Port(EventLoop& loop, LabLog& log, std::string name) : loop_(loop), log_(log), name_(std::move(name)) {}
  Port(const Port&) = delete;
  Port& operator=(const Port&) = delete;
  ~Port() {
    if (listener_.valid()) loop_.unwatch(listener_.get());
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }

  [[nodiscard]] Result<void> listen(const std::filesystem::path& path) {
    constexpr int backlog = 4;
    auto listener = listen_at(path, backlog);
    if (!listener) return failure(listener.error());
    listener_ = std::move(*listener);
    path_ = path;
    loop_.watch(listener_.get(), POLLIN, [this](short) { accept_one(); });
    return {};
  }

  void plug(const std::shared_ptr<UsbfsDevice>& device) {
    device_ = device;
    if (session_) session_->plug(device);
  }
  void unplug() {
    device_.reset();
    if (session_) session_->unplug();
  }
  void answer() {
    if (session_) session_->answer();
  }

 private:
  void accept_one() {
    UniqueFd connection(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!connection.valid()) return;
    if (session_) {
      log("refused: there is a connection already");
      return;
    }
    RedirSession::Listener listener;
    listener.log = [this](const std::string& text) { log(text); };
    listener.closed = [this] {
      log("disconnected");
      session_.reset();
    };
    session_ = std::make_unique<RedirSession>(loop_, std::move(connection), std::move(listener));
    if (device_) session_->plug(device_);
  }
  void log(std::string_view text) { log_.write(name_, text); }

  EventLoop& loop_;
  LabLog& log_;
  const std::string name_;
  std::filesystem::path path_;
  UniqueFd listener_;
  std::shared_ptr<UsbfsDevice> device_;
  std::unique_ptr<RedirSession> session_;
};

class RedirBus::Plugged : public PluggedDevice {
 public:
  Plugged(Port& port, std::shared_ptr<UsbfsDevice> device) : port_(port), device_(std::move(device)) {
    port_.plug(device_);
  }
  Plugged(const Plugged&) = delete;
  Plugged& operator=(const Plugged&) = delete;
  ~Plugged() override {
    device_->disconnect();
    port_.unplug();
  }

  [[nodiscard]] std::optional<unsigned> device_number() const override { return std::nullopt; }
  void pump() override {
    device_->pump();
    port_.answer();
  }

 private:
  Port& port_;
  const std::shared_ptr<UsbfsDevice> device_;
};

RedirBus::RedirBus(EventLoop& loop, std::filesystem::path folder, const std::filesystem::path& log_file)
    : loop_(loop), folder_(std::move(folder)), log_(log_file) {}

RedirBus::~RedirBus() = default;

Result<std::unique_ptr<PluggedDevice>> RedirBus::plug(const Plug& plug) {
  const std::string name = fmt::format("1-{}", plug.port);
  if (plug.hub_port != 0) {
    return failure(fmt::format("{}.{}: a guest sees no hubs; plug the board into the root hub", name, plug.hub_port));
  }
  std::unique_ptr<Port>& port = ports_[plug.port];
  if (!port) {
    auto made = std::make_unique<Port>(loop_, log_, name);
    if (const auto listening = made->listen(folder_ / (name + ".sock")); !listening) return failure(listening.error());
    port = std::move(made);
  }
  auto device = std::make_shared<UsbfsDevice>(plug.model, plug.board_mutex);
  device->on_event(in_loop(loop_, device, plug.on_event));
  return std::make_unique<Plugged>(*port, std::move(device));
}

}  // namespace virtual_lab
