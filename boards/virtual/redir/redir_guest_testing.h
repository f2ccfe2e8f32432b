// QEMU's side of usb-redir, for tests.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <usbredirparser.h>

#include "boards/virtual/event_loop.h"
#include "boards/virtual/unix_socket.h"
#include "boards/virtual/usb_device.h"

namespace virtual_lab {

struct Answer {
  std::uint64_t id = 0;
  unsigned status = usb_redir_success;
  Bytes data;
  std::size_t length = 0;  // as the header has it
};

// QEMU's side of the protocol.
class Guest {
 public:
  Guest(EventLoop& loop, const std::filesystem::path& socket) : loop_(loop), parser_(usbredirparser_create()) {
    const auto address = unix_address(socket);
    fd_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    connected = address && ::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) == 0;
    set_callbacks();
    std::uint32_t capabilities[USB_REDIR_CAPS_SIZE] = {};
    for (const int capability :
         {usb_redir_cap_connect_device_version, usb_redir_cap_device_disconnect_ack,
          usb_redir_cap_ep_info_max_packet_size, usb_redir_cap_64bits_ids, usb_redir_cap_32bits_bulk_length}) {
      usbredirparser_caps_set_cap(capabilities, capability);
    }
    usbredirparser_init(parser_, "a guest", capabilities, USB_REDIR_CAPS_SIZE, 0);
    flush();
    loop_.watch(fd_.get(), POLLIN, [this](short) { serve(); });
  }
  Guest(const Guest&) = delete;
  Guest& operator=(const Guest&) = delete;
  ~Guest() {
    loop_.unwatch(fd_.get());
    usbredirparser_destroy(parser_);
  }

  void control(std::uint64_t id, const SetupPacket& setup, Bytes data = {}) {
    usb_redir_control_packet_header header{static_cast<std::uint8_t>(setup.request_type & 0x80),
                                           setup.request,
                                           setup.request_type,
                                           0,
                                           setup.value,
                                           setup.index,
                                           setup.length};
    usbredirparser_send_control_packet(parser_, id, &header, data.empty() ? nullptr : data.data(),
                                       static_cast<int>(data.size()));
    flush();
  }
  void bulk(std::uint64_t id, std::uint8_t endpoint, std::size_t length, Bytes data = {}) {
    usb_redir_bulk_packet_header header{endpoint, 0, static_cast<std::uint16_t>(length), 0,
                                        static_cast<std::uint16_t>(length >> 16)};
    usbredirparser_send_bulk_packet(parser_, id, &header, data.empty() ? nullptr : data.data(),
                                    static_cast<int>(data.size()));
    flush();
  }
  void cancel(std::uint64_t id) {
    usbredirparser_send_cancel_data_packet(parser_, id);
    flush();
  }
  void reset() {
    usbredirparser_send_reset(parser_);
    flush();
  }
  void set_configuration(std::uint64_t id, std::uint8_t configuration) {
    usb_redir_set_configuration_header header{configuration};
    usbredirparser_send_set_configuration(parser_, id, &header);
    usbredirparser_send_get_configuration(parser_, id + 1);
    flush();
  }
  void set_alternate(std::uint64_t id, std::uint8_t interface, std::uint8_t alternate) {
    usb_redir_set_alt_setting_header set{interface, alternate};
    usb_redir_get_alt_setting_header get{interface};
    usbredirparser_send_set_alt_setting(parser_, id, &set);
    usbredirparser_send_get_alt_setting(parser_, id + 1, &get);
    flush();
  }
  void start_receiving(std::uint8_t endpoint) {
    usb_redir_start_interrupt_receiving_header header{endpoint};
    usbredirparser_send_start_interrupt_receiving(parser_, 0, &header);
    flush();
  }
  void stop_receiving(std::uint8_t endpoint) {
    usb_redir_stop_interrupt_receiving_header header{endpoint};
    usbredirparser_send_stop_interrupt_receiving(parser_, 0, &header);
    flush();
  }
  void start_isochronous(std::uint8_t endpoint) {
    usb_redir_start_iso_stream_header header{endpoint, 1, 1};
    usbredirparser_send_start_iso_stream(parser_, 0, &header);
    flush();
  }
  void send_bytes(const Bytes& bytes) { (void)::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL); }
  void flush() { (void)usbredirparser_do_write(parser_); }

  bool connected = false;
  bool closed = false;
  std::vector<unsigned> products;  // of the devices that came, 0 for each that left
  usb_redir_ep_info_header endpoints{};
  usb_redir_interface_info_header interfaces{};
  std::vector<Answer> answers;
  std::vector<Answer> interrupts;
  std::vector<unsigned> receiving_status;

 private:
  static Guest& of(void* self) { return *static_cast<Guest*>(self); }

  void serve() {
    if (usbredirparser_do_read(parser_) < 0) {
      closed = true;
      loop_.unwatch(fd_.get());
      return;
    }
    flush();
  }

  void set_callbacks() {
    parser_->priv = this;
    parser_->log_func = [](void*, int, const char*) {};
    parser_->read_func = [](void* self, std::uint8_t* into, int size) {
      const ssize_t got = ::recv(of(self).fd_.get(), into, static_cast<std::size_t>(size), MSG_DONTWAIT);
      return got > 0 ? static_cast<int>(got) : (got < 0 && errno == EAGAIN ? 0 : -1);
    };
    parser_->write_func = [](void* self, std::uint8_t* from, int size) {
      return static_cast<int>(::send(of(self).fd_.get(), from, static_cast<std::size_t>(size), MSG_NOSIGNAL));
    };
    parser_->hello_func = [](void*, usb_redir_hello_header*) {};
    parser_->ep_info_func = [](void* self, usb_redir_ep_info_header* info) { of(self).endpoints = *info; };
    parser_->interface_info_func = [](void* self, usb_redir_interface_info_header* info) {
      of(self).interfaces = *info;
    };
    parser_->device_connect_func = [](void* self, usb_redir_device_connect_header* device) {
      of(self).products.push_back(device->product_id);
    };
    parser_->device_disconnect_func = [](void* self) { of(self).products.push_back(0); };
    parser_->configuration_status_func = [](void* self, std::uint64_t id,
                                            usb_redir_configuration_status_header* status) {
      of(self).answers.push_back({id, status->status, {status->configuration}, 1});
    };
    parser_->alt_setting_status_func = [](void* self, std::uint64_t id, usb_redir_alt_setting_status_header* status) {
      of(self).answers.push_back({id, status->status, {status->alt}, 1});
    };
    parser_->interrupt_receiving_status_func = [](void* self, std::uint64_t,
                                                  usb_redir_interrupt_receiving_status_header* status) {
      of(self).receiving_status.push_back(status->status);
    };
    parser_->control_packet_func = [](void* self, std::uint64_t id, usb_redir_control_packet_header* header,
                                      std::uint8_t* data, int size) {
      of(self).answers.push_back({id, header->status, Bytes(data, data + size), header->length});
      usbredirparser_free_packet_data(of(self).parser_, data);
    };
    parser_->bulk_packet_func = [](void* self, std::uint64_t id, usb_redir_bulk_packet_header* header,
                                   std::uint8_t* data, int size) {
      of(self).answers.push_back({id, header->status, Bytes(data, data + size),
                                  header->length | static_cast<std::size_t>(header->length_high) << 16});
      usbredirparser_free_packet_data(of(self).parser_, data);
    };
    parser_->interrupt_packet_func = [](void* self, std::uint64_t id, usb_redir_interrupt_packet_header* header,
                                        std::uint8_t* data, int size) {
      of(self).interrupts.push_back({id, header->status, Bytes(data, data + size), header->length});
      usbredirparser_free_packet_data(of(self).parser_, data);
    };
  }

  EventLoop& loop_;
  UniqueFd fd_;
  usbredirparser* parser_;
};

}  // namespace virtual_lab
