#include "boards/virtual/redir/redir_session.h"

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <new>
#include <string_view>

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <usbredirparser.h>

namespace virtual_lab {
namespace {

constexpr std::uint8_t set_configuration_request = 9;  // USB 2.0, table 9-4
constexpr std::uint8_t direction_in = 0x80;
constexpr std::uint8_t endpoint_descriptor = 5;
constexpr std::uint8_t interface_descriptor = 4;

// Of what an endpoint receives all the time, as the address of its URB: the peer's ids count up from small numbers.
constexpr std::uint64_t receiving_id(std::uint8_t endpoint) { return 1ULL << 63 | endpoint; }

bool to_host(std::uint8_t endpoint) { return (endpoint & direction_in) != 0; }

std::size_t slot_of(std::uint8_t endpoint) { return (to_host(endpoint) ? 16U : 0U) | (endpoint & 0x0fU); }

// What a transfer ends with that UsbfsDevice answered a negative errno, or none.
std::uint8_t status_of(int result) {
  switch (result) {
    case -EPIPE:
    case -ENOENT:  // no such interface or endpoint
    case -EINVAL:
      return usb_redir_stall;
    default:
      return result >= 0 ? usb_redir_success : usb_redir_ioerror;
  }
}

usb_redir_interface_info_header interface_info(const UsbDescriptors& descriptors) {
  usb_redir_interface_info_header info{};
  for (const UsbInterface& interface : descriptors.interfaces()) {
    const std::size_t at = info.interface_count;
    if (at == std::size(info.interface)) break;
    info.interface[at] = interface.number;
    info.interface_class[at] = interface.class_code;
    info.interface_subclass[at] = interface.subclass;
    info.interface_protocol[at] = interface.protocol;
    ++info.interface_count;
  }
  return info;
}

usb_redir_ep_info_header endpoint_info(const UsbDescriptors& descriptors) {
  usb_redir_ep_info_header info{};
  std::fill(std::begin(info.type), std::end(info.type), static_cast<std::uint8_t>(usb_redir_type_invalid));
  for (const std::size_t control : {slot_of(0), slot_of(direction_in)}) {
    info.type[control] = usb_redir_type_control;
    info.max_packet_size[control] = descriptors.device[7];
  }
  const ByteView all = descriptors.configuration;
  std::uint8_t interface = 0;
  for (std::size_t at = 0; at + 7 <= all.size() && all[at] >= 2; at += all[at]) {
    if (all[at + 1] == interface_descriptor) interface = all[at + 2];
    if (all[at + 1] != endpoint_descriptor) continue;
    const std::size_t slot = slot_of(all[at + 2]);
    info.type[slot] = all[at + 3] & 3;
    info.max_packet_size[slot] = static_cast<std::uint16_t>(all[at + 4] | all[at + 5] << 8);
    info.interval[slot] = all[at + 6];
    info.interface[slot] = interface;
  }
  return info;
}

usb_redir_device_connect_header connect_info(const UsbDescriptors& descriptors) {
  const Bytes& device = descriptors.device;
  usb_redir_device_connect_header info{};
  info.speed = descriptors.speed_megabits >= 480 ? usb_redir_speed_high : usb_redir_speed_full;
  info.device_class = device[4];
  info.device_subclass = device[5];
  info.device_protocol = device[6];
  info.vendor_id = static_cast<std::uint16_t>(descriptors.vendor_id());
  info.product_id = static_cast<std::uint16_t>(descriptors.product_id());
  info.device_version_bcd = static_cast<std::uint16_t>(device[12] | device[13] << 8);
  return info;
}

}  // namespace

void RedirSession::Free::operator()(usbredirparser* parser) const { usbredirparser_destroy(parser); }

RedirSession::RedirSession(EventLoop& loop, UniqueFd connection, Listener listener)
    : loop_(loop),
      connection_(std::move(connection)),
      listener_(std::move(listener)),
      parser_(usbredirparser_create()) {
  if (!parser_) throw std::bad_alloc();
  set_callbacks();
  std::uint32_t capabilities[USB_REDIR_CAPS_SIZE] = {};
  for (const int capability :
       {usb_redir_cap_connect_device_version, usb_redir_cap_device_disconnect_ack,
        usb_redir_cap_ep_info_max_packet_size, usb_redir_cap_64bits_ids, usb_redir_cap_32bits_bulk_length}) {
    usbredirparser_caps_set_cap(capabilities, capability);
  }
  usbredirparser_init(parser_.get(), "virtual-lab", capabilities, USB_REDIR_CAPS_SIZE, usbredirparser_fl_usb_host);
  watch();
}

RedirSession::~RedirSession() {
  loop_.cancel(timer_);
  loop_.unwatch(connection_.get());
  if (announced_) device_->close(client_);
}

// Each that a peer can have called, since the parser calls without looking.
void RedirSession::set_callbacks() {
  usbredirparser& parser = *parser_;
  parser.priv = this;
  parser.log_func = [](void* self, int level, const char* text) {
    if (level <= usbredirparser_warning) static_cast<RedirSession*>(self)->listener_.log(text);
  };
  parser.read_func = [](void* self, std::uint8_t* into, int size) {
    return static_cast<RedirSession*>(self)->read(into, size);
  };
  parser.write_func = [](void* self, std::uint8_t* from, int size) {
    return static_cast<RedirSession*>(self)->write(from, size);
  };
  parser.hello_func = [](void* self, usb_redir_hello_header* hello) {
    const std::string_view version(hello->version, sizeof hello->version);
    static_cast<RedirSession*>(self)->greeted(std::string(version.substr(0, version.find('\0'))));
  };
  parser.device_disconnect_ack_func = [](void* self) { static_cast<RedirSession*>(self)->acknowledged(); };
  parser.reset_func = [](void* self) { static_cast<RedirSession*>(self)->reset(); };
  parser.set_configuration_func = [](void* self, std::uint64_t id, usb_redir_set_configuration_header* header) {
    static_cast<RedirSession*>(self)->set_configuration(id, header->configuration);
  };
  parser.get_configuration_func = [](void* self, std::uint64_t id) {
    static_cast<RedirSession*>(self)->get_configuration(id);
  };
  parser.set_alt_setting_func = [](void* self, std::uint64_t id, usb_redir_set_alt_setting_header* header) {
    static_cast<RedirSession*>(self)->set_alternate(id, header->interface, header->alt);
  };
  parser.get_alt_setting_func = [](void* self, std::uint64_t id, usb_redir_get_alt_setting_header* header) {
    static_cast<RedirSession*>(self)->get_alternate(id, header->interface);
  };
  parser.start_interrupt_receiving_func = [](void* self, std::uint64_t,
                                             usb_redir_start_interrupt_receiving_header* header) {
    static_cast<RedirSession*>(self)->start_receiving(header->endpoint);
  };
  parser.stop_interrupt_receiving_func = [](void* self, std::uint64_t,
                                            usb_redir_stop_interrupt_receiving_header* header) {
    static_cast<RedirSession*>(self)->stop_receiving(header->endpoint);
  };
  parser.cancel_data_packet_func = [](void* self, std::uint64_t id) { static_cast<RedirSession*>(self)->cancel(id); };

  // What comes with data owns it.
  parser.control_packet_func = [](void* self, std::uint64_t id, usb_redir_control_packet_header* header,
                                  std::uint8_t* data, int size) {
    auto* session = static_cast<RedirSession*>(self);
    session->control(id, *header, Bytes(data, data + size));
    usbredirparser_free_packet_data(session->parser_.get(), data);
  };
  parser.bulk_packet_func = [](void* self, std::uint64_t id, usb_redir_bulk_packet_header* header, std::uint8_t* data,
                               int size) {
    auto* session = static_cast<RedirSession*>(self);
    session->bulk(id, *header, Bytes(data, data + size));
    usbredirparser_free_packet_data(session->parser_.get(), data);
  };
  parser.interrupt_packet_func = [](void* self, std::uint64_t id, usb_redir_interrupt_packet_header* header,
                                    std::uint8_t* data, int size) {
    auto* session = static_cast<RedirSession*>(self);
    session->interrupt_out(id, *header, Bytes(data, data + size));
    usbredirparser_free_packet_data(session->parser_.get(), data);
  };
  parser.iso_packet_func = [](void* self, std::uint64_t, usb_redir_iso_packet_header*, std::uint8_t* data, int) {
    auto* session = static_cast<RedirSession*>(self);
    session->refuse("an isochronous packet");
    usbredirparser_free_packet_data(session->parser_.get(), data);
  };
  parser.start_iso_stream_func = [](void* self, std::uint64_t, usb_redir_start_iso_stream_header*) {
    static_cast<RedirSession*>(self)->refuse("an isochronous stream");
  };
  parser.stop_iso_stream_func = [](void* self, std::uint64_t, usb_redir_stop_iso_stream_header*) {
    static_cast<RedirSession*>(self)->refuse("an isochronous stream");
  };
  parser.alloc_bulk_streams_func = [](void* self, std::uint64_t, usb_redir_alloc_bulk_streams_header*) {
    static_cast<RedirSession*>(self)->refuse("bulk streams");
  };
  parser.free_bulk_streams_func = [](void* self, std::uint64_t, usb_redir_free_bulk_streams_header*) {
    static_cast<RedirSession*>(self)->refuse("bulk streams");
  };
}

void RedirSession::refuse(const std::string& what) {
  refused_ = true;
  listener_.log(fmt::format("closed: the peer asks for {}, and no board has that", what));
}

int RedirSession::read(std::uint8_t* into, int size) {
  if (output_is_full()) return 0;
  const ssize_t got = ::recv(connection_.get(), into, static_cast<std::size_t>(size), MSG_DONTWAIT);
  if (got > 0) return static_cast<int>(got);
  return got < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

int RedirSession::write(const std::uint8_t* from, int size) {
  const ssize_t sent = ::send(connection_.get(), from, static_cast<std::size_t>(size), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent >= 0) return static_cast<int>(sent);
  return errno == EAGAIN || errno == EINTR ? 0 : -1;
}

bool RedirSession::output_is_full() const {
  return usbredirparser_get_bufferered_output_size(parser_.get()) >= max_output_bytes;
}

void RedirSession::watch() {
  short events = 0;
  if (!output_is_full()) events |= POLLIN;
  if (usbredirparser_has_data_to_write(parser_.get()) > 0) events |= POLLOUT;
  if (events == watched_events_) return;
  watched_events_ = events;
  loop_.watch(connection_.get(), events, [this](short) { serve(); });
}

void RedirSession::serve() {
  const int read = usbredirparser_do_read(parser_.get());
  if (read == usbredirparser_read_parse_error) listener_.log("closed: the peer does not speak usb-redir");
  if (read == 0 && !refused_ && transmit()) return;
  const auto closed = listener_.closed;  // a copy: it may destroy this
  closed();
}

// A connection that broke is noticed by serve() too, as the loop's next event.
bool RedirSession::transmit() {
  if (usbredirparser_do_write(parser_.get()) < 0) return false;
  watch();
  return true;
}

void RedirSession::greeted(const std::string& version) {
  greeted_ = true;
  listener_.log("connected: " + version.substr(0, 64));
  announce_when_due();
}

void RedirSession::plug(std::shared_ptr<UsbfsDevice> device) {
  device_ = std::move(device);
  announce_when_due();
}

void RedirSession::announce_when_due() {
  if (!device_ || announced_ || !greeted_ || awaits_acknowledgement_) return;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(busy_until_ - std::chrono::steady_clock::now());
  loop_.cancel(timer_);
  timer_ = 0;
  if (left.count() > 0) {
    timer_ = loop_.after(left, [this] { announce_when_due(); });
    return;
  }
  announce();
  transmit();
}

void RedirSession::announce() {
  const UsbDescriptors& descriptors = device_->descriptors();
  usb_redir_ep_info_header endpoints = endpoint_info(descriptors);
  usb_redir_interface_info_header interfaces = interface_info(descriptors);
  usb_redir_device_connect_header device = connect_info(descriptors);
  client_ = device_->open();
  // To this guest it has just been plugged in, whatever an earlier one had made of it.
  (void)device_->control(client_, {0x00, set_configuration_request, 0, 0, 0}, {});
  announced_ = true;
  usbredirparser_send_ep_info(parser_.get(), &endpoints);
  usbredirparser_send_interface_info(parser_.get(), &interfaces);
  usbredirparser_send_device_connect(parser_.get(), &device);
}

void RedirSession::unplug() {
  if (announced_) {
    device_->close(client_);
    usbredirparser_send_device_disconnect(parser_.get());
    awaits_acknowledgement_ = usbredirparser_peer_has_cap(parser_.get(), usb_redir_cap_device_disconnect_ack) != 0;
  }
  announced_ = false;
  loop_.cancel(timer_);
  receiving_.clear();
  device_.reset();
  transmit();
}

void RedirSession::acknowledged() {
  awaits_acknowledgement_ = false;
  announce_when_due();
}

// From here on: requests that crossed an unplugging on their way are not answered.

void RedirSession::reset() {
  if (!announced_) return;
  busy_until_ = std::chrono::steady_clock::now() + reset_time;
  (void)device_->reset();
  answer();
}

void RedirSession::set_configuration(std::uint64_t id, std::uint8_t configuration) {
  if (!announced_) return;
  const int result = device_->control(client_, {0x00, set_configuration_request, configuration, 0, 0}, {});
  usb_redir_configuration_status_header status{status_of(result), configuration};
  usbredirparser_send_configuration_status(parser_.get(), id, &status);
}

void RedirSession::get_configuration(std::uint64_t id) {
  if (!announced_) return;
  constexpr std::uint8_t request = 8;
  const int result = ask_for_byte({0x80, request, 0, 0, 1});
  usb_redir_configuration_status_header status{status_of(result), static_cast<std::uint8_t>(std::max(result, 0))};
  usbredirparser_send_configuration_status(parser_.get(), id, &status);
}

void RedirSession::set_alternate(std::uint64_t id, std::uint8_t interface, std::uint8_t alternate) {
  if (!announced_) return;
  const int error = device_->set_interface(client_, interface, alternate);
  usb_redir_alt_setting_status_header status{status_of(-error), interface, alternate};
  usbredirparser_send_alt_setting_status(parser_.get(), id, &status);
}

void RedirSession::get_alternate(std::uint64_t id, std::uint8_t interface) {
  if (!announced_) return;
  constexpr std::uint8_t request = 10;
  const int result = ask_for_byte({0x81, request, 0, interface, 1});
  usb_redir_alt_setting_status_header status{status_of(result), interface,
                                             static_cast<std::uint8_t>(std::max(result, 0))};
  usbredirparser_send_alt_setting_status(parser_.get(), id, &status);
}

int RedirSession::ask_for_byte(const SetupPacket& setup) {
  std::uint8_t byte = 0;
  const int result = device_->control(client_, setup, {&byte, 1});
  return result == 1 ? byte : std::min(result, -EPIPE);
}

void RedirSession::control(std::uint64_t id, usb_redir_control_packet_header header, Bytes data) {
  if (!announced_) return;
  const bool in = to_host(header.endpoint);
  int error = EINVAL;
  if (in == to_host(header.requesttype)) {
    Bytes packet{header.requesttype, header.request};
    for (const std::uint16_t word : {header.value, header.index, header.length}) append_u16(packet, word);
    packet.insert(packet.end(), data.begin(), data.end());
    if (in) packet.resize(packet.size() + header.length);
    error = submit(id, UrbType::control, header.endpoint, std::move(packet));
  }
  if (error != 0) {
    header.status = status_of(-error);
    header.length = 0;
    usbredirparser_send_control_packet(parser_.get(), id, &header, nullptr, 0);
  }
  answer();
}

int RedirSession::submit(std::uint64_t id, UrbType type, std::uint8_t endpoint, Bytes data) {
  auto urb = std::make_unique<Urb>();
  urb->address = id;
  urb->type = type;
  urb->endpoint = endpoint;
  urb->data = std::move(data);
  return device_->submit(client_, std::move(urb));
}

void RedirSession::bulk(std::uint64_t id, usb_redir_bulk_packet_header header, Bytes data) {
  if (!announced_) return;
  const std::size_t length = header.length | static_cast<std::size_t>(header.length_high) << 16;
  int error = ENOMEM;
  if (length <= UsbfsDevice::max_held_bytes) {
    if (to_host(header.endpoint)) data.resize(length);
    error = submit(id, UrbType::bulk, header.endpoint, std::move(data));
  }
  if (error != 0) {
    header.status = status_of(-error);
    header.length = header.length_high = 0;
    usbredirparser_send_bulk_packet(parser_.get(), id, &header, nullptr, 0);
  }
  answer();
}

void RedirSession::interrupt_out(std::uint64_t id, usb_redir_interrupt_packet_header header, Bytes data) {
  if (!announced_) return;
  const int error = submit(id, UrbType::interrupt, header.endpoint, std::move(data));
  if (error != 0) {
    header.status = status_of(-error);
    header.length = 0;
    usbredirparser_send_interrupt_packet(parser_.get(), id, &header, nullptr, 0);
  }
  answer();
}

void RedirSession::start_receiving(std::uint8_t endpoint) {
  if (!announced_) return;
  const usb_redir_ep_info_header endpoints = endpoint_info(device_->descriptors());
  const std::size_t packet_bytes = endpoints.max_packet_size[slot_of(endpoint)];
  // A bulk endpoint has always more to give: nobody would ever be done with asking it.
  const bool interrupts = to_host(endpoint) && endpoints.type[slot_of(endpoint)] == usb_redir_type_interrupt;
  int error = interrupts ? 0 : ENOENT;
  if (interrupts && receiving_.try_emplace(endpoint, packet_bytes).second) {
    error = submit(receiving_id(endpoint), UrbType::interrupt, endpoint, Bytes(packet_bytes));
    if (error != 0) receiving_.erase(endpoint);
  }
  usb_redir_interrupt_receiving_status_header status{status_of(-error), endpoint};
  usbredirparser_send_interrupt_receiving_status(parser_.get(), 0, &status);
  answer();
}

void RedirSession::stop_receiving(std::uint8_t endpoint) {
  if (!announced_) return;
  if (receiving_.erase(endpoint) != 0) (void)device_->discard(client_, receiving_id(endpoint));
  usb_redir_interrupt_receiving_status_header status{usb_redir_success, endpoint};
  usbredirparser_send_interrupt_receiving_status(parser_.get(), 0, &status);
  answer();
}

void RedirSession::cancel(std::uint64_t id) {
  if (!announced_) return;
  (void)device_->discard(client_, id);  // what was answered already is not among them
  answer();
}

void RedirSession::answer() {
  while (announced_) {
    const UsbfsDevice::Reaped reaped = device_->reap(client_);
    if (!reaped.urb) break;
    tell_end(*reaped.urb);
  }
  transmit();
}

void RedirSession::tell_end(Urb& urb) {
  // QEMU hides an answer that is too long; a real host controller does not.
  assert(urb.actual_bytes <= urb.data.size() - urb.data_offset());
  if (urb.address == receiving_id(urb.endpoint)) return tell_received(urb);
  const std::uint8_t status =
      urb.status == -ENOENT ? static_cast<std::uint8_t>(usb_redir_cancelled) : status_of(urb.status);
  const auto bytes = static_cast<std::uint32_t>(urb.actual_bytes);
  const bool has_data = urb.to_host() && bytes > 0;
  std::uint8_t* const data = has_data ? urb.data.data() + urb.data_offset() : nullptr;
  const int data_bytes = has_data ? static_cast<int>(bytes) : 0;
  if (urb.type == UrbType::control) {
    const SetupPacket setup = SetupPacket::parse(urb.data);
    usb_redir_control_packet_header header{urb.endpoint,
                                           setup.request,
                                           setup.request_type,
                                           status,
                                           setup.value,
                                           setup.index,
                                           static_cast<std::uint16_t>(bytes)};
    usbredirparser_send_control_packet(parser_.get(), urb.address, &header, data, data_bytes);
  } else if (urb.type == UrbType::interrupt) {  // to the device: what comes from it is received all the time
    usb_redir_interrupt_packet_header header{urb.endpoint, status, static_cast<std::uint16_t>(bytes)};
    usbredirparser_send_interrupt_packet(parser_.get(), urb.address, &header, nullptr, 0);
  } else {
    usb_redir_bulk_packet_header header{};
    header.endpoint = urb.endpoint;
    header.status = status;
    header.length = static_cast<std::uint16_t>(bytes);
    header.length_high = static_cast<std::uint16_t>(bytes >> 16);
    usbredirparser_send_bulk_packet(parser_.get(), urb.address, &header, data, data_bytes);
  }
}

void RedirSession::tell_received(const Urb& urb) {
  const auto still = receiving_.find(urb.endpoint);
  if (still == receiving_.end()) return;
  int result = urb.status;
  if (result == 0) {
    usb_redir_interrupt_packet_header header{urb.endpoint, usb_redir_success,
                                             static_cast<std::uint16_t>(urb.actual_bytes)};
    Bytes data(urb.data.begin(), urb.data.begin() + static_cast<std::ptrdiff_t>(urb.actual_bytes));
    usbredirparser_send_interrupt_packet(parser_.get(), 0, &header, data.data(), static_cast<int>(data.size()));
    result = -submit(urb.address, UrbType::interrupt, urb.endpoint, Bytes(still->second));
  }
  if (result == 0) return;
  receiving_.erase(still);
  usb_redir_interrupt_receiving_status_header status{status_of(result), urb.endpoint};
  usbredirparser_send_interrupt_receiving_status(parser_.get(), 0, &status);
}

}  // namespace virtual_lab
