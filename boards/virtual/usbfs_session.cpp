#include "boards/virtual/usbfs_session.h"

#include <sys/ioctl.h>
// After <sys/ioctl.h>, whose _IOC macros it uses.
#include <algorithm>
#include <cerrno>
#include <cstddef>

#include <linux/usbdevice_fs.h>

#include "boards/virtual/preload_protocol.h"

namespace virtual_lab {
namespace {

// libusb's way of one URB a transfer. Without continuation flags, since each URB stands for itself here.
constexpr std::int32_t capabilities = USBDEVFS_CAP_ZERO_PACKET | USBDEVFS_CAP_NO_PACKET_SIZE_LIM |
                                      USBDEVFS_CAP_BULK_SCATTER_GATHER | USBDEVFS_CAP_REAP_AFTER_DISCONNECT;

class Session {
 public:
  Session(int connection, UsbfsDevice& device) : connection_(connection), device_(device), client_(device.open()) {}
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session() { device_.close(client_); }

  // False when the client is gone.
  bool serve_one() {
    PreloadMessage message;
    if (!connection_.receive(message)) return false;
    PreloadReply reply;
    if (!answer(message, reply)) return false;
    return connection_.send(reply);
  }

 private:
  bool answer(const PreloadMessage& message, PreloadReply& reply) {
    switch (static_cast<PreloadCommand>(message.command)) {
      case PreloadCommand::ioctl:
        return answer_ioctl(message.argument1, message.argument2, reply);
      case PreloadCommand::read:
        read_descriptors(message.argument1, message.argument2, reply);
        return true;
      case PreloadCommand::write:
        reply.done(EINVAL);
        return true;
      default:
        return false;  // not a protocol that is known here
    }
  }

  bool answer_ioctl(std::uint64_t request, std::uint64_t argument, PreloadReply& reply) {
    switch (request) {
      case USBDEVFS_SUBMITURB:
        return submit(argument, reply);
      case USBDEVFS_REAPURB:
      case USBDEVFS_REAPURBNDELAY:
        reap(argument, reply);
        return true;
      case USBDEVFS_DISCARDURB:
        reply.done(device_.discard(client_, argument));
        return true;
      case USBDEVFS_CONTROL:
        return control(argument, reply);
      case USBDEVFS_CLAIMINTERFACE:
      case USBDEVFS_DISCONNECT_CLAIM:
        return with_u32s<1>(argument, reply, [&](const auto& words) { return device_.claim(client_, words[0]); });
      case USBDEVFS_RELEASEINTERFACE:
        return with_u32s<1>(argument, reply, [&](const auto& words) { return device_.release(client_, words[0]); });
      case USBDEVFS_SETINTERFACE:
        return with_u32s<2>(argument, reply,
                            [&](const auto& words) { return device_.set_interface(client_, words[0], words[1]); });
      case USBDEVFS_RESET:
        reply.done(device_.reset());
        return true;
      default:
        if (device_.gone()) {
          reply.done(ENODEV);
        } else {
          answer_simple(request, argument, reply);
        }
        return true;
    }
  }

  void answer_simple(std::uint64_t request, std::uint64_t argument, PreloadReply& reply) {
    constexpr std::int64_t speed_full = 2;
    constexpr std::int64_t speed_high = 3;
    constexpr std::int64_t speed_super = 5;
    const unsigned megabits = device_.descriptors().speed_megabits;
    const std::int64_t speed = megabits >= 5000 ? speed_super : megabits >= 480 ? speed_high : speed_full;
    switch (request) {
      case USBDEVFS_GET_CAPABILITIES:
        reply.write_memory_i32(argument, capabilities);
        reply.done(0);
        return;
      case USBDEVFS_GET_SPEED:
        reply.done(0, speed);
        return;
      case USBDEVFS_SETCONFIGURATION:
      case USBDEVFS_CLEAR_HALT:
      case USBDEVFS_RESETEP:
        reply.done(0);
        return;
      case USBDEVFS_GETDRIVER:
      case USBDEVFS_IOCTL:  // detaching or attaching a kernel driver: there is none
        reply.done(ENODATA);
        return;
      default:
        reply.done(ENOTTY);
    }
  }

  template <std::size_t count, class Function>
  bool with_u32s(std::uint64_t address, PreloadReply& reply, const Function& function) {
    std::array<std::uint32_t, count> words{};
    if (!connection_.read_struct(address, words)) return false;
    reply.done(function(words));
    return true;
  }

  bool submit(std::uint64_t address, PreloadReply& reply) {
    usbdevfs_urb asked;  // filled as a whole, or not looked at
    if (!connection_.read_struct(address, asked)) return false;
    if (asked.buffer_length < 0 || static_cast<std::size_t>(asked.buffer_length) > UsbfsDevice::max_held_bytes) {
      reply.done(EINVAL);
      return true;
    }
    auto urb = std::make_unique<Urb>();
    urb->address = address;
    urb->buffer = reinterpret_cast<std::uint64_t>(asked.buffer);
    urb->type = static_cast<UrbType>(asked.type);
    urb->endpoint = asked.endpoint;
    urb->short_is_an_error = (asked.flags & USBDEVFS_URB_SHORT_NOT_OK) != 0;
    urb->data.resize(static_cast<std::size_t>(asked.buffer_length));
    const bool reads_memory = urb->type == UrbType::control || (urb->endpoint & 0x80) == 0;
    if (reads_memory && !connection_.read_memory(urb->buffer, urb->data)) return false;
    reply.done(device_.submit(client_, std::move(urb)));
    return true;
  }

  void reap(std::uint64_t where, PreloadReply& reply) {
    const UsbfsDevice::Reaped reaped = device_.reap(client_);
    if (!reaped.urb) {
      reply.done(reaped.error);
      return;
    }
    const Urb& urb = *reaped.urb;
    reply.write_memory_i32(urb.address + offsetof(usbdevfs_urb, status), urb.status);
    reply.write_memory_i32(urb.address + offsetof(usbdevfs_urb, actual_length),
                           static_cast<std::int32_t>(urb.actual_bytes));
    if (urb.to_host() && urb.actual_bytes > 0) {
      reply.write_memory(urb.buffer + urb.data_offset(),
                         ByteView(urb.data).subspan(urb.data_offset(), urb.actual_bytes));
    }
    reply.write_memory_u64(where, urb.address);
    reply.done(0);
  }

  bool control(std::uint64_t address, PreloadReply& reply) {
    usbdevfs_ctrltransfer asked{};
    if (!connection_.read_struct(address, asked)) return false;
    if (asked.wLength > UsbfsDevice::max_control_bytes) {
      reply.done(EINVAL);
      return true;
    }
    const SetupPacket setup{asked.bRequestType, asked.bRequest, asked.wValue, asked.wIndex, asked.wLength};
    const auto buffer = reinterpret_cast<std::uint64_t>(asked.data);
    Bytes data(setup.length);
    if (!setup.to_host() && !connection_.read_memory(buffer, data)) return false;
    const int result = device_.control(client_, setup, data);
    if (result > 0 && setup.to_host())
      reply.write_memory(buffer, ByteView(data).first(static_cast<std::size_t>(result)));
    reply.done(result < 0 ? -result : 0, result);
    return true;
  }

  // read(2) on a usbfs node gives the descriptors.
  void read_descriptors(std::uint64_t buffer, std::uint64_t length, PreloadReply& reply) {
    Bytes all = device_.descriptors().device;
    all.insert(all.end(), device_.descriptors().configuration.begin(), device_.descriptors().configuration.end());
    const std::size_t size = std::min<std::uint64_t>(length, all.size() - read_position_);
    if (size > 0) reply.write_memory(buffer, ByteView(all).subspan(read_position_, size));
    read_position_ += size;
    reply.done(0, static_cast<std::int64_t>(size));
  }

  PreloadConnection connection_;
  UsbfsDevice& device_;
  const ClientId client_;
  std::size_t read_position_ = 0;
};

}  // namespace

void serve_usbfs_session(int connection, UsbfsDevice& device) {
  Session session(connection, device);
  while (session.serve_one()) {
  }
}

}  // namespace virtual_lab
