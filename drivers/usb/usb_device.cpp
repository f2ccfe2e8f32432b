#include "drivers/usb/usb_device.h"

#include <algorithm>
#include <array>

#include <libusb.h>

#include "drivers/usb/usb_recording.h"

namespace hilmark {
namespace {

constexpr Milliseconds departure_grace{500};
constexpr Milliseconds configuration_limit{2000};
constexpr Milliseconds look_again{10};  // sysfs tells nobody of a device's configuration

UsbInterface described(const libusb_interface_descriptor& source) {
  UsbInterface result;
  result.number = source.bInterfaceNumber;
  result.alternate = source.bAlternateSetting;
  result.interface_class = source.bInterfaceClass;
  result.subclass = source.bInterfaceSubClass;
  result.protocol = source.bInterfaceProtocol;
  result.name_index = source.iInterface;
  for (int index = 0; index < source.bNumEndpoints; ++index) {
    const libusb_endpoint_descriptor& endpoint = source.endpoint[index];
    result.endpoints.push_back({endpoint.bEndpointAddress,
                                (endpoint.bmAttributes & LIBUSB_TRANSFER_TYPE_MASK) == LIBUSB_TRANSFER_TYPE_BULK,
                                endpoint.wMaxPacketSize});
  }
  if (source.extra != nullptr && source.extra_length > 0) {
    result.extra.assign(source.extra, source.extra + source.extra_length);
  }
  return result;
}

/// The octets of what libusb made sense of; it leaves the rest out.
std::size_t octets_of(const libusb_config_descriptor& config) {
  const auto octets = [](const auto& descriptor) {
    return std::size_t{descriptor.bLength} + static_cast<std::size_t>(descriptor.extra_length);
  };
  std::size_t sum = octets(config);
  for (int index = 0; index < config.bNumInterfaces; ++index) {
    const libusb_interface& interface = config.interface[index];
    for (int alternate = 0; alternate < interface.num_altsetting; ++alternate) {
      const libusb_interface_descriptor& setting = interface.altsetting[alternate];
      sum += octets(setting);
      for (int endpoint = 0; endpoint < setting.bNumEndpoints; ++endpoint) sum += octets(setting.endpoint[endpoint]);
    }
  }
  return sum;
}

unsigned limit_of(Milliseconds limit) {
  // To libusb, 0 would mean for ever.
  return static_cast<unsigned>(std::max<Milliseconds::rep>(limit.count(), 1));
}

}  // namespace

std::uint8_t UsbInterface::bulk_endpoint(bool towards_host) const {
  for (const UsbEndpoint& endpoint : endpoints) {
    if (endpoint.is_bulk && ((endpoint.address & 0x80) != 0) == towards_host) return endpoint.address;
  }
  return 0;
}

UsbResult<std::unique_ptr<UsbDevice>> UsbDevice::open(const UsbContext& context, const UsbPlugged& plugged) {
  libusb_device* const device = context.reference(plugged.port, plugged.arrival);
  if (device == nullptr) return usb_failure(LIBUSB_ERROR_NO_DEVICE, "opening", plugged);
  std::unique_ptr<UsbDevice> opened(new UsbDevice(context, plugged));
  const int code = libusb_open(device, &opened->handle_);
  libusb_unref_device(device);
  if (code != 0) {
    opened->handle_ = nullptr;
    return opened->failure(code, "opening");
  }
  libusb_set_auto_detach_kernel_driver(opened->handle_, 1);
  if (auto read = opened->read_interfaces(); !read) return tl::unexpected(read.error());
  libusb_device_descriptor descriptor{};
  if (libusb_get_device_descriptor(libusb_get_device(opened->handle_), &descriptor) == 0 &&
      descriptor.iSerialNumber != 0) {
    opened->plugged_.serial = opened->text(descriptor.iSerialNumber).value_or("");
  }
  return opened;
}

UsbDevice::~UsbDevice() {
  if (handle_ == nullptr) return;
  // The last first: the kernel's driver is bound to a function's first interface anew, and takes the others then.
  for (auto number = claimed_.rbegin(); number != claimed_.rend(); ++number) libusb_release_interface(handle_, *number);
  libusb_close(handle_);
}

UsbResult<void> UsbDevice::read_interfaces() {
  libusb_config_descriptor* config = nullptr;
  const SystemClock clock;
  const Deadline deadline(clock, configuration_limit);
  int code = LIBUSB_ERROR_NOT_FOUND;
  // The kernel tells that a device has come before it configures it.
  for (bool waits = true; waits;) {
    code = libusb_get_active_config_descriptor(libusb_get_device(handle_), &config);
    waits = code == LIBUSB_ERROR_NOT_FOUND && !deadline.expired();
    if (waits) (void)context_.wait([] { return false; }, Deadline(clock, look_again));
  }
  if (code == LIBUSB_ERROR_NO_DEVICE) return failure(code, "reading its descriptors");
  if (code == LIBUSB_ERROR_NOT_FOUND) {
    return tl::unexpected<UsbFailure>(
        {UsbFault::other,
         {ErrorKind::rig,
          fmt::format("{} is plugged in, but the kernel has not configured it; `dmesg` tells why (a hub "
                      "without power of its own, for one)",
                      plugged_.text())}});
  }
  if (code != 0) {
    return tl::unexpected<UsbFailure>(
        {UsbFault::other,
         {ErrorKind::unit, fmt::format("{} describes itself wrongly: its configuration descriptor makes no sense ({}); "
                                       "`lsusb -v -d {}` shows it, and its firmware must be mended",
                                       plugged_.text(), libusb_error_name(code), to_text(plugged_.id))}});
  }
  descriptors_are_cut_ = octets_of(*config) < config->wTotalLength;
  for (int index = 0; index < config->bNumInterfaces; ++index) {
    const libusb_interface& interface = config->interface[index];
    for (int alternate = 0; alternate < interface.num_altsetting; ++alternate) {
      interfaces_.push_back(described(interface.altsetting[alternate]));
    }
  }
  libusb_free_config_descriptor(config);
  return {};
}

Error UsbDevice::lacks(std::string_view what, std::string_view why) const {
  if (!descriptors_are_cut_) return {ErrorKind::usage, fmt::format("{} has no {}; {}", plugged_.text(), what, why)};
  return {ErrorKind::unit,
          fmt::format("{} describes itself wrongly: its configuration descriptor ends amidst what it announces, and "
                      "shows no {}; `lsusb -v -d {}` shows it, and its firmware must be mended",
                      plugged_.text(), what, to_text(plugged_.id))};
}

tl::unexpected<UsbFailure> UsbDevice::failure(int code, std::string_view what) {
  // A device that is pulled out may fail with a protocol error before the kernel notices its departure.
  if (code == LIBUSB_ERROR_IO || code == LIBUSB_ERROR_OTHER) {
    const SystemClock clock;
    const UsbPortWatcher watcher(context_, plugged_.port);
    if (watcher.wait_left(plugged_.arrival, Deadline(clock, departure_grace))) code = LIBUSB_ERROR_NO_DEVICE;
  }
  return usb_failure(code, what, plugged_);
}

UsbResult<std::string> UsbDevice::text(int string_index) {
  std::array<unsigned char, 256> buffer{};
  const int length = libusb_get_string_descriptor_ascii(handle_, static_cast<std::uint8_t>(string_index), buffer.data(),
                                                        static_cast<int>(buffer.size()));
  if (length < 0) return failure(length, fmt::format("reading string {}", string_index));
  return std::string(buffer.begin(), buffer.begin() + length);
}

Bytes UsbDevice::container_id() {
  libusb_bos_descriptor* raw = nullptr;
  if (libusb_get_bos_descriptor(handle_, &raw) != 0) return {};
  const std::unique_ptr<libusb_bos_descriptor, decltype(&libusb_free_bos_descriptor)> bos(raw,
                                                                                          &libusb_free_bos_descriptor);
  for (int index = 0; index < bos->bNumDeviceCaps; ++index) {
    libusb_container_id_descriptor* found = nullptr;
    libusb_bos_dev_capability_descriptor* const capability = bos->dev_capability[index];
    if (capability->bDevCapabilityType != LIBUSB_BT_CONTAINER_ID) continue;
    if (libusb_get_container_id_descriptor(nullptr, capability, &found) != 0) continue;
    Bytes id(std::begin(found->ContainerID), std::end(found->ContainerID));
    libusb_free_container_id_descriptor(found);
    const bool told = std::any_of(id.begin(), id.end(), [](std::uint8_t octet) { return octet != 0; });
    return told ? id : Bytes();
  }
  return {};
}

UsbResult<void> UsbDevice::claim(int interface_number) {
  const int code = libusb_claim_interface(handle_, interface_number);
  if (code != 0) return failure(code, fmt::format("claiming interface {}", interface_number));
  claimed_.insert(interface_number);
  return {};
}

void UsbDevice::release(int interface_number) {
  if (claimed_.erase(interface_number) > 0) libusb_release_interface(handle_, interface_number);
}

UsbResult<void> UsbDevice::set_alternate(int interface_number, int alternate) {
  const int code = libusb_set_interface_alt_setting(handle_, interface_number, alternate);
  if (code == 0) return {};
  return failure(code, fmt::format("choosing alternate setting {} of interface {}", alternate, interface_number));
}

template <class T>
UsbResult<T> UsbDevice::recorded(UsbTransfer transfer, UsbResult<T> result) const {
  transfer.port = plugged_.port;
  transfer.id = plugged_.id;
  if (!result) transfer.result = name_of(result.error().fault);
  if constexpr (std::is_same_v<T, Bytes>) {
    if (result) transfer.data = *result;
  }
  context_.transfer_listener_(transfer);
  return result;
}

UsbResult<void> UsbDevice::control_out(const UsbSetup& setup, ByteView data, Milliseconds limit) {
  auto result = do_control_out(setup, data, limit);
  if (!context_.transfer_listener_) return result;
  return recorded({.kind = UsbTransfer::Kind::control_out,
                   .setup = setup,
                   .length = data.size(),
                   .data = Bytes(data.begin(), data.end())},
                  std::move(result));
}

UsbResult<Bytes> UsbDevice::control_in(const UsbSetup& setup, std::uint16_t length, Milliseconds limit) {
  auto result = do_control_in(setup, length, limit);
  if (!context_.transfer_listener_) return result;
  return recorded({.kind = UsbTransfer::Kind::control_in, .setup = setup, .length = length}, std::move(result));
}

UsbResult<void> UsbDevice::bulk_out(std::uint8_t endpoint, ByteView data, Milliseconds limit) {
  auto result = do_bulk_out(endpoint, data, limit);
  if (!context_.transfer_listener_) return result;
  return recorded({.kind = UsbTransfer::Kind::bulk_out,
                   .endpoint = endpoint,
                   .length = data.size(),
                   .data = Bytes(data.begin(), data.end())},
                  std::move(result));
}

UsbResult<Bytes> UsbDevice::bulk_in(std::uint8_t endpoint, std::size_t length, Milliseconds limit) {
  auto result = do_bulk_in(endpoint, length, limit);
  if (!context_.transfer_listener_) return result;
  return recorded({.kind = UsbTransfer::Kind::bulk_in, .endpoint = endpoint, .length = length}, std::move(result));
}

UsbResult<void> UsbDevice::do_control_out(const UsbSetup& setup, ByteView data, Milliseconds limit) {
  // libusb wants a pointer to non-const for both directions; it does not write here.
  const int sent = libusb_control_transfer(handle_, setup.request_type, setup.request, setup.value, setup.index,
                                           const_cast<unsigned char*>(data.data()),
                                           static_cast<std::uint16_t>(data.size()), limit_of(limit));
  if (sent < 0) return failure(sent, fmt::format("control request {:#04x}", setup.request));
  if (static_cast<std::size_t>(sent) != data.size()) {
    return failure(LIBUSB_ERROR_IO,
                   fmt::format("control request {:#04x} took {} of {} bytes", setup.request, sent, data.size()));
  }
  return {};
}

UsbResult<Bytes> UsbDevice::do_control_in(const UsbSetup& setup, std::uint16_t length, Milliseconds limit) {
  Bytes buffer(length);
  const int came = libusb_control_transfer(handle_, setup.request_type, setup.request, setup.value, setup.index,
                                           buffer.data(), length, limit_of(limit));
  if (came < 0) return failure(came, fmt::format("control request {:#04x}", setup.request));
  buffer.resize(static_cast<std::size_t>(came));
  return buffer;
}

UsbResult<void> UsbDevice::do_bulk_out(std::uint8_t endpoint, ByteView data, Milliseconds limit) {
  const SystemClock clock;
  const Deadline deadline(clock, limit);
  do {
    int sent = 0;
    const int code = libusb_bulk_transfer(handle_, endpoint, const_cast<unsigned char*>(data.data()),
                                          static_cast<int>(data.size()), &sent, limit_of(deadline.left()));
    if (code != 0) return failure(code, fmt::format("writing to endpoint {:#04x}", endpoint));
    data = data.subspan(static_cast<std::size_t>(sent));
  } while (!data.empty());
  return {};
}

UsbResult<Bytes> UsbDevice::do_bulk_in(std::uint8_t endpoint, std::size_t length, Milliseconds limit) {
  Bytes buffer(length);
  int came = 0;
  const int code =
      libusb_bulk_transfer(handle_, endpoint, buffer.data(), static_cast<int>(length), &came, limit_of(limit));
  if (code != 0) return failure(code, fmt::format("reading from endpoint {:#04x}", endpoint));
  buffer.resize(static_cast<std::size_t>(came));
  return buffer;
}

UsbResult<void> UsbDevice::clear_halt(std::uint8_t endpoint) {
  const int code = libusb_clear_halt(handle_, endpoint);
  if (code == 0) return {};
  return failure(code, fmt::format("clearing the halt of endpoint {:#04x}", endpoint));
}

UsbResult<void> UsbDevice::reset_bus() {
  const int code = libusb_reset_device(handle_);
  // NOT_FOUND is its way to say that the device enumerates anew, as it shall.
  if (code == 0 || code == LIBUSB_ERROR_NOT_FOUND || code == LIBUSB_ERROR_NO_DEVICE) return {};
  auto failed = failure(code, "resetting it on the bus");
  if (failed.value().fault == UsbFault::gone) return {};
  return failed;
}

UsbResult<void> UsbDevice::wait(Milliseconds time) {
  if (time.count() == 0) return {};
  const SystemClock clock;
  const UsbPortWatcher watcher(context_, plugged_.port);
  if (!watcher.wait_left(plugged_.arrival, Deadline(clock, time))) return {};
  return usb_failure(LIBUSB_ERROR_NO_DEVICE, "waiting for it", plugged_);
}

}  // namespace hilmark
