#include "boards/virtual/usb_bus.h"

namespace virtual_lab {

namespace {

// The last thing that a kernel does to enumerate a device (USB 2.0, chapter 9.4.7).
void configure(UsbDevice& device) {
  constexpr std::uint8_t set_configuration = 9;
  (void)device.control({.request = set_configuration, .value = 1}, {});
}

}  // namespace

class UsbBus::Plugged : public PluggedDevice {
 public:
  Plugged(UsbBus& bus, const UsbPlace& place, std::shared_ptr<UsbfsDevice> device, std::unique_ptr<UsbfsNode> node,
          std::unique_ptr<TtyNode> tty)
      : bus_(bus), place_(place), device_(std::move(device)), node_(std::move(node)), tty_(std::move(tty)) {}
  Plugged(const Plugged&) = delete;
  Plugged& operator=(const Plugged&) = delete;
  ~Plugged() override {
    // Pending transfers end first, the news goes out last.
    device_->disconnect();
    tty_.reset();
    node_.reset();
    bus_.unplugged(place_);
  }

  [[nodiscard]] std::optional<unsigned> device_number() const override { return place_.device_number; }
  void pump() override {
    device_->pump();
    if (tty_) tty_->pump();
  }

 private:
  UsbBus& bus_;
  const UsbPlace place_;
  const std::shared_ptr<UsbfsDevice> device_;
  std::unique_ptr<UsbfsNode> node_;
  std::unique_ptr<TtyNode> tty_;
};

UsbBus::UsbBus(EventLoop& loop, std::filesystem::path root)
    : loop_(loop), root_(std::move(root)), uevents_(root_), sysfs_(root_, uevents_), tty_clients_(loop) {}

UsbBus::~UsbBus() {
  loop_.cancel(uevent_timer_);
  clients_.disconnect_all();
}

Result<void> UsbBus::start(unsigned ports, std::function<void(unsigned port, bool on)> set_port_power) {
  return start_root({.hub_ports = ports}, {std::make_shared<HubModel>(ports), std::make_shared<std::mutex>()},
                    [this, set_port_power = std::move(set_port_power)](const DeviceEvent& event) {
                      loop_.post([set_port_power, event] { set_port_power(event.port, event.on); });
                    });
}

Result<void> UsbBus::start_superspeed(unsigned ports) {
  const HubKind kind{.ports = ports, .superspeed = true, .switches_ports = false};
  return start_root({.bus = 2, .hub_ports = ports}, {std::make_shared<HubModel>(kind), std::make_shared<std::mutex>()},
                    {});
}

Result<void> UsbBus::start_root(const UsbPlace& place, const Hub& hub,
                                std::function<void(const DeviceEvent&)> on_event) {
  auto device = std::make_shared<UsbfsDevice>(hub.model, hub.mutex);
  device->on_event(std::move(on_event));
  auto node = serve(place, device);
  if (!node) return failure(node.error());
  roots_[place.bus] = {.hub = hub, .node = std::move(*node)};
  hubs_[place.name()] = hub;
  return sysfs_.add(place, hub.model->descriptors());
}

void UsbBus::show_power(unsigned port, bool on) {
  const Hub& root = roots_.at(1).hub;
  const std::lock_guard lock(*root.mutex);
  root.model->show_power(port, on);
}

Result<std::unique_ptr<PluggedDevice>> UsbBus::plug(const Plug& plug) {
  auto device = std::make_shared<UsbfsDevice>(plug.model, plug.board_mutex);
  device->on_event(in_loop(loop_, device, plug.on_event));
  configure(*plug.model);
  const UsbPlace place{.bus = plug.bus,
                       .device_number = take_device_number(plug.bus),
                       .port = plug.port,
                       .hub_port = plug.hub_port,
                       .hub_ports = plug.hub ? plug.hub->port_count() : 0,
                       .twin_bus = plug.twin_bus};
  auto node = serve(place, device);
  if (!node) {
    taken_numbers_.erase({place.bus, place.device_number});
    return failure(node.error());
  }
  const unsigned tty_number = free_tty_number();
  auto tty = plug.tty ? serve_tty(plug, tty_number, device) : Result<std::unique_ptr<TtyNode>>();
  if (!tty) {
    taken_numbers_.erase({place.bus, place.device_number});
    return failure(tty.error());
  }
  auto plugged = std::make_unique<Plugged>(*this, place, device, std::move(*node), std::move(*tty));
  if (plug.hub) hubs_[place.name()] = {plug.hub, plug.board_mutex};
  hub_shows(place, true);
  auto added = sysfs_.add(place, plug.model->descriptors());
  if (added && plug.tty) added = sysfs_.add_tty(place, plug.tty->control_interface, tty_number);
  flush_uevents();
  if (!added) return failure(added.error());
  return plugged;
}

unsigned UsbBus::free_tty_number() const {
  unsigned number = 0;
  std::error_code ignored;
  while (std::filesystem::is_symlink(root_ / "dev" / TtyNode::name(number), ignored)) ++number;
  return number;
}

// The tty is a host like any other, and the only one that needs no claim.
Result<std::unique_ptr<TtyNode>> UsbBus::serve_tty(const Plug& plug, unsigned number,
                                                   const std::shared_ptr<UsbfsDevice>& device) {
  TtyNode::Board board;
  board.take_input = [plug, tell = in_loop(loop_, device, plug.on_event)](ByteView bytes) {
    const std::lock_guard lock(*plug.board_mutex);
    const std::size_t taken = plug.model->bulk_out(plug.tty->out_endpoint, bytes).bytes;
    for (const DeviceEvent& event : plug.model->take_events()) tell(event);
    return taken;
  };
  board.give_output = [plug](std::span<std::uint8_t> into) {
    const std::lock_guard lock(*plug.board_mutex);
    return plug.model->bulk_in(plug.tty->in_endpoint, into).bytes;
  };
  return TtyNode::make(loop_, tty_clients_, {root_, number}, std::move(board));
}

// As the kernel does: each plug gets the next number, so that a stale handle never meets a new device.
unsigned UsbBus::take_device_number(unsigned bus) {
  unsigned& last = roots_.at(bus).last_device_number;
  do {
    last = last % max_device_number + 1;
  } while (last == 1 || !taken_numbers_.insert({bus, last}).second);
  return last;
}

Result<std::unique_ptr<UsbfsNode>> UsbBus::serve(const UsbPlace& place, std::shared_ptr<UsbfsDevice> device) {
  return UsbfsNode::make(loop_, clients_, {root_, place.node()}, std::move(device));
}

void UsbBus::unplugged(const UsbPlace& place) {
  taken_numbers_.erase({place.bus, place.device_number});
  hubs_.erase(place.name());
  hub_shows(place, false);
  sysfs_.remove(place);
  flush_uevents();
}

void UsbBus::hub_shows(const UsbPlace& place, bool connected) {
  const auto hub = hubs_.find(place.parent());
  if (hub == hubs_.end()) return;  // it has left the bus before
  const std::lock_guard lock(*hub->second.mutex);
  hub->second.model->show_connected(place.hub_port == 0 ? place.port : place.hub_port, connected);
}

void UsbBus::flush_uevents() {
  constexpr std::chrono::milliseconds retry{5};
  loop_.cancel(uevent_timer_);
  uevent_timer_ = 0;
  if (uevents_.flush()) uevent_timer_ = loop_.after(retry, [this] { flush_uevents(); });
}

}  // namespace virtual_lab
