#include "boards/virtual/usbfs_device.h"

#include <algorithm>
#include <cerrno>

namespace virtual_lab {

UsbfsDevice::UsbfsDevice(std::shared_ptr<UsbDevice> model, std::shared_ptr<std::mutex> board_mutex)
    : model_(std::move(model)), mutex_(std::move(board_mutex)), interfaces_(model_->descriptors().interfaces()) {}

ClientId UsbfsDevice::open() {
  const std::lock_guard lock(*mutex_);
  clients_.try_emplace(++last_client_);
  return last_client_;
}

void UsbfsDevice::close(ClientId client) {
  const std::lock_guard lock(*mutex_);
  for (auto& [endpoint, queue] : endpoint_queues_) {
    std::erase_if(queue, [&](const Urb* urb) { return urb->client == client; });
  }
  std::erase_if(claims_, [&](const auto& claim) { return claim.second == client; });
  clients_.erase(client);
  update_reapable();
}

int UsbfsDevice::claim(ClientId client, unsigned interface) {
  const std::lock_guard lock(*mutex_);
  return gone_ ? ENODEV : check_claim(client, interface);
}

int UsbfsDevice::release(ClientId client, unsigned interface) {
  const std::lock_guard lock(*mutex_);
  if (gone_) return ENODEV;
  const auto claim = claims_.find(interface);
  if (claim == claims_.end() || claim->second != client) return EINVAL;
  claims_.erase(claim);
  return 0;
}

int UsbfsDevice::set_interface(ClientId client, unsigned interface, unsigned alternate) {
  const std::lock_guard lock(*mutex_);
  if (gone_) return ENODEV;
  const int error = check_claim(client, interface);
  if (error != 0) return error;
  return alternate == 0 ? 0 : EINVAL;
}

int UsbfsDevice::submit(ClientId client, std::unique_ptr<Urb> urb) {
  const std::lock_guard lock(*mutex_);
  if (gone_) return ENODEV;
  urb->client = client;
  const int error = check_transfer(client, *urb);
  if (error != 0) return error;
  Client& owner = clients_.at(client);
  if (owner.pending.size() + owner.done.size() >= max_held_urbs) return ENOMEM;
  if (owner.held_bytes + urb->data.size() > max_held_bytes) return ENOMEM;
  owner.held_bytes += urb->data.size();
  Urb& submitted = *owner.pending.emplace_back(std::move(urb));
  if (submitted.type == UrbType::control) {
    run_control(submitted);
  } else {
    endpoint_queues_[submitted.endpoint].push_back(&submitted);
    run_endpoint(submitted.endpoint);
  }
  after_model_call();
  return 0;
}

int UsbfsDevice::discard(ClientId client, std::uint64_t urb_address) {
  const std::lock_guard lock(*mutex_);
  if (gone_) return ENODEV;
  Client& owner = clients_.at(client);
  const auto found = std::find_if(owner.pending.begin(), owner.pending.end(),
                                  [&](const auto& urb) { return urb->address == urb_address; });
  if (found == owner.pending.end()) return EINVAL;
  Urb& urb = **found;
  std::erase(endpoint_queues_[urb.endpoint], &urb);
  finish(urb, -ENOENT);
  run_endpoint(urb.endpoint);
  after_model_call();
  return 0;
}

int UsbfsDevice::reset() {
  const std::lock_guard lock(*mutex_);
  if (gone_) return ENODEV;
  model_->bus_reset();
  after_model_call();
  return 0;
}

int UsbfsDevice::control(ClientId client, const SetupPacket& setup, std::span<std::uint8_t> data) {
  const std::lock_guard lock(*mutex_);
  if (gone_) return -ENODEV;
  const int error = check_control(client, setup);
  if (error != 0) return -error;
  const auto transferred = model_->control(setup, data);
  after_model_call();
  if (model_->silent()) return -ETIMEDOUT;  // its client has no patience here
  return transferred ? static_cast<int>(*transferred) : refusal();
}

UsbfsDevice::Reaped UsbfsDevice::reap(ClientId client) {
  const std::lock_guard lock(*mutex_);
  Client& owner = clients_.at(client);
  if (owner.done.empty()) return {nullptr, gone_ ? ENODEV : EAGAIN};
  Reaped reaped{std::move(owner.done.front()), 0};
  owner.done.pop_front();
  owner.held_bytes -= reaped.urb->data.size();
  update_reapable();
  return reaped;
}

bool UsbfsDevice::gone() const {
  const std::lock_guard lock(*mutex_);
  return gone_;
}

void UsbfsDevice::pump() {
  const std::lock_guard lock(*mutex_);
  if (gone_) return;
  for (auto& [endpoint, queue] : endpoint_queues_) run_endpoint(endpoint);
  after_model_call();
}

void UsbfsDevice::disconnect() {
  const std::lock_guard lock(*mutex_);
  if (gone_) return;
  gone_ = true;
  endpoint_queues_.clear();
  claims_.clear();
  for (auto& [id, client] : clients_) {
    while (!client.pending.empty()) finish(*client.pending.front(), -ESHUTDOWN);
  }
}

// As the kernel does, an interface that nobody has is claimed by its first use.
int UsbfsDevice::check_claim(ClientId client, unsigned interface) {
  if (!has_interface(interface)) return ENOENT;
  const auto [claim, inserted] = claims_.try_emplace(interface, client);
  return claim->second == client ? 0 : EBUSY;
}

int UsbfsDevice::check_control(ClientId client, const SetupPacket& setup) {
  const bool vendor = (setup.request_type & 0x60) == 0x40;
  return setup.for_interface() && !vendor ? check_claim(client, setup.index & 0xff) : 0;
}

int UsbfsDevice::check_transfer(ClientId client, const Urb& urb) {
  if (urb.type == UrbType::control) {
    if ((urb.endpoint & 0x0f) != 0) return EINVAL;
    if (urb.data.size() < SetupPacket::size_bytes) return EINVAL;
    const SetupPacket setup = SetupPacket::parse(urb.data);
    if (setup.length > max_control_bytes || setup.length > urb.data.size() - SetupPacket::size_bytes) return EINVAL;
    return check_control(client, setup);
  }
  if (urb.type != UrbType::bulk && urb.type != UrbType::interrupt) return EINVAL;
  const auto owner = std::find_if(interfaces_.begin(), interfaces_.end(), [&](const UsbInterface& interface) {
    return std::count(interface.endpoints.begin(), interface.endpoints.end(), urb.endpoint) != 0;
  });
  return owner == interfaces_.end() ? ENOENT : check_claim(client, owner->number);
}

bool UsbfsDevice::has_interface(unsigned interface) const {
  return std::any_of(interfaces_.begin(), interfaces_.end(),
                     [&](const UsbInterface& one) { return one.number == interface; });
}

void UsbfsDevice::run_control(Urb& urb) {
  const SetupPacket setup = SetupPacket::parse(urb.data);
  const auto transferred = model_->control(setup, std::span(urb.data).subspan(SetupPacket::size_bytes, setup.length));
  if (model_->silent()) return;  // until it is discarded
  if (transferred) urb.actual_bytes = *transferred;
  finish(urb, transferred ? 0 : refusal());
}

int UsbfsDevice::refusal() const { return model_->pulled_out() ? -EPROTO : -EPIPE; }

void UsbfsDevice::run_endpoint(std::uint8_t endpoint) {
  const auto found = endpoint_queues_.find(endpoint);
  if (found == endpoint_queues_.end()) return;
  auto& queue = found->second;
  while (!queue.empty()) {
    Urb& urb = *queue.front();
    if (!step(urb)) return;
    queue.pop_front();
  }
}

bool UsbfsDevice::step(Urb& urb) {
  if (model_->silent()) return false;
  if (urb.to_host()) {
    const BulkStep answer = model_->bulk_in(urb.endpoint, urb.data);
    if (answer.handshake == Handshake::nak || model_->silent()) return false;
    urb.actual_bytes = answer.bytes;
    const bool too_short = urb.short_is_an_error && answer.bytes < urb.data.size();
    finish(urb, answer.handshake == Handshake::stall ? refusal() : (too_short ? -EREMOTEIO : 0));
    return true;
  }
  // An empty packet is one, too.
  do {
    const BulkStep answer = model_->bulk_out(urb.endpoint, ByteView(urb.data).subspan(urb.actual_bytes));
    if (answer.handshake == Handshake::nak || model_->silent()) return false;
    if (answer.handshake == Handshake::stall) {
      finish(urb, refusal());
      return true;
    }
    urb.actual_bytes += answer.bytes;
  } while (urb.actual_bytes < urb.data.size());
  finish(urb, 0);
  return true;
}

void UsbfsDevice::finish(Urb& urb, int status) {
  urb.status = status;
  Client& owner = clients_.at(urb.client);
  const auto found =
      std::find_if(owner.pending.begin(), owner.pending.end(), [&](const auto& one) { return one.get() == &urb; });
  owner.done.push_back(std::move(*found));
  owner.pending.erase(found);
  update_reapable();
}

void UsbfsDevice::after_model_call() {
  for (const DeviceEvent& event : model_->take_events()) {
    if (event_sink_) event_sink_(event);
  }
}

void UsbfsDevice::update_reapable() {
  const bool any =
      std::any_of(clients_.begin(), clients_.end(), [](const auto& client) { return !client.second.done.empty(); });
  if (reapable_sink_) reapable_sink_(any);
}

}  // namespace virtual_lab
