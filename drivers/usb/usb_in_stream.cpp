#include <array>
#include <condition_variable>
#include <mutex>

#include <libusb.h>

#include "drivers/usb/usb_device.h"

namespace hilmark {
namespace {

constexpr std::size_t pending_transfers = 2;
constexpr std::size_t transfer_bytes = 4096;  // a multiple of every bulk endpoint's packet size, so nothing overflows

int error_of(libusb_transfer_status status) {
  switch (status) {
    case LIBUSB_TRANSFER_NO_DEVICE:
      return LIBUSB_ERROR_NO_DEVICE;
    case LIBUSB_TRANSFER_STALL:
      return LIBUSB_ERROR_PIPE;
    case LIBUSB_TRANSFER_OVERFLOW:
      return LIBUSB_ERROR_OVERFLOW;
    case LIBUSB_TRANSFER_TIMED_OUT:
      return LIBUSB_ERROR_TIMEOUT;
    default:
      return LIBUSB_ERROR_IO;
  }
}

}  // namespace

struct UsbInStream::Impl {
  struct Slot {
    Impl* owner = nullptr;
    libusb_transfer* transfer = nullptr;
    std::array<unsigned char, transfer_bytes> buffer{};
  };

  Callbacks callbacks;
  UsbPlugged plugged;
  std::array<Slot, pending_transfers> slots;
  std::mutex mutex;
  std::condition_variable ended;
  std::size_t active = 0;
  bool stopping = false;
  bool closed = false;

  ~Impl() {
    {
      std::unique_lock lock(mutex);
      stopping = true;
      for (const Slot& slot : slots) {
        if (slot.transfer != nullptr) libusb_cancel_transfer(slot.transfer);
      }
      ended.wait(lock, [&] { return active == 0; });
    }
    for (const Slot& slot : slots) libusb_free_transfer(slot.transfer);
  }

  void close(int code) {
    {
      const std::lock_guard lock(mutex);
      if (stopping || std::exchange(closed, true)) return;
    }
    callbacks.on_closed(usb_failure(code, "reading its console", plugged).value());
  }

  void retire() {
    const std::lock_guard lock(mutex);
    --active;
    ended.notify_all();
  }

  static void LIBUSB_CALL on_transfer(libusb_transfer* transfer) {
    Impl& impl = *static_cast<Slot*>(transfer->user_data)->owner;
    if (transfer->status != LIBUSB_TRANSFER_COMPLETED) {
      if (transfer->status != LIBUSB_TRANSFER_CANCELLED) impl.close(error_of(transfer->status));
      impl.retire();
      return;
    }
    if (transfer->actual_length > 0) {
      impl.callbacks.on_data({transfer->buffer, static_cast<std::size_t>(transfer->actual_length)});
    }
    int code = 0;
    {
      const std::lock_guard lock(impl.mutex);
      if (!impl.stopping) code = libusb_submit_transfer(transfer);
      if (!impl.stopping && code == 0) return;
    }
    if (code != 0) impl.close(code);
    impl.retire();
  }
};

UsbResult<std::unique_ptr<UsbInStream>> UsbInStream::start(UsbDevice& device, std::uint8_t endpoint,
                                                           Callbacks callbacks) {
  auto impl = std::make_unique<Impl>();
  impl->callbacks = std::move(callbacks);
  impl->plugged = device.plugged();
  for (Impl::Slot& slot : impl->slots) {
    slot.owner = impl.get();
    const std::lock_guard lock(impl->mutex);
    slot.transfer = libusb_alloc_transfer(0);
    if (slot.transfer == nullptr) return usb_failure(LIBUSB_ERROR_NO_MEM, "reading", impl->plugged);
    libusb_fill_bulk_transfer(slot.transfer, device.handle_, endpoint, slot.buffer.data(),
                              static_cast<int>(slot.buffer.size()), &Impl::on_transfer, &slot, 0);
    const int code = libusb_submit_transfer(slot.transfer);
    if (code != 0) return usb_failure(code, "reading", impl->plugged);
    ++impl->active;
  }
  return std::unique_ptr<UsbInStream>(new UsbInStream(std::move(impl)));
}

UsbInStream::UsbInStream(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
UsbInStream::~UsbInStream() = default;

}  // namespace hilmark
