#include "drivers/picoboot/picoboot_usb_port.h"

#include "drivers/usb/cdc.h"

namespace hilmark {
namespace {

constexpr int class_vendor = 0xff;
constexpr int protocol_picoboot = 0;
constexpr int protocol_reset = 1;
constexpr std::uint8_t out_vendor_interface = 0x41;
constexpr std::uint8_t in_vendor_interface = 0xc1;
constexpr std::uint8_t reset_to_bootsel = 0x01;
constexpr Milliseconds control_limit{2000};
constexpr Milliseconds bulk_limit{10'000};  // an erase of 64 KiB is acknowledged within some seconds

bool is_vendor(const UsbInterface& interface, int protocol) {
  return interface.interface_class == class_vendor && interface.subclass == 0 && interface.protocol == protocol;
}

PicobootPort::Answer answer_of(UsbResult<Bytes> result) {
  if (result) return std::move(*result);
  if (result.error().fault == UsbFault::stall) return PicobootPort::Stall{};
  return fail(result.error().error);
}

PicobootPort::Answer answer_of(UsbResult<void> result) {
  return answer_of(std::move(result).map([] { return Bytes(); }));
}

/// Sends what makes an application leave. It may be gone before it acknowledges.
Result<bool> send_farewell(UsbDevice& device, const UsbSetup& setup, ByteView data = {}) {
  const auto sent = device.control_out(setup, data, control_limit);
  if (!sent && sent.error().fault != UsbFault::gone) return fail(sent.error().error);
  return true;
}

}  // namespace

Result<std::unique_ptr<PicobootUsbPort>> PicobootUsbPort::open(const UsbContext& context, const UsbPlugged& plugged) {
  auto device = UsbDevice::open(context, plugged);
  if (!device) return fail(device.error().error);
  std::unique_ptr<PicobootUsbPort> port(new PicobootUsbPort(std::move(*device)));
  for (const UsbInterface& interface : port->device_->interfaces()) {
    if (!is_vendor(interface, protocol_picoboot)) continue;
    port->out_endpoint_ = interface.bulk_endpoint(false);
    port->in_endpoint_ = interface.bulk_endpoint(true);
    if (port->out_endpoint_ == 0 || port->in_endpoint_ == 0) continue;
    if (const auto claimed = port->device_->claim(interface.number); !claimed) return fail(claimed.error().error);
    port->interface_ = static_cast<std::uint16_t>(interface.number);
    return port;
  }
  return fail(port->device_->lacks("PICOBOOT interface", "the board file's bootloader ids are wrong"));
}

PicobootPort::Answer PicobootUsbPort::send(ByteView data) {
  return answer_of(device_->bulk_out(out_endpoint_, data, bulk_limit));
}

PicobootPort::Answer PicobootUsbPort::receive(std::size_t size_bytes) {
  return answer_of(device_->bulk_in(in_endpoint_, size_bytes, bulk_limit));
}

PicobootPort::Answer PicobootUsbPort::command_status() {
  return answer_of(device_->control_in({in_vendor_interface, picoboot_get_command_status, 0, interface_},
                                       picoboot_status_bytes, control_limit));
}

PicobootPort::Answer PicobootUsbPort::reset_interface() {
  for (const std::uint8_t endpoint : {in_endpoint_, out_endpoint_}) {
    if (auto cleared = device_->clear_halt(endpoint); !cleared) return answer_of(std::move(cleared));
  }
  return answer_of(
      device_->control_out({out_vendor_interface, picoboot_interface_reset, 0, interface_}, {}, control_limit));
}

Result<bool> bootsel_request(const UsbContext& context, const UsbPlugged& plugged) {
  auto device = UsbDevice::open(context, plugged);
  if (!device) return fail(device.error().error);
  for (const UsbInterface& interface : (*device)->interfaces()) {
    if (!is_vendor(interface, protocol_reset)) continue;
    if (const auto claimed = (*device)->claim(interface.number); !claimed) return fail(claimed.error().error);
    // Class type: TinyUSB, which most of these applications are built on, hands vendor requests to somebody else.
    return send_farewell(**device,
                         {cdc_out_class_interface, reset_to_bootsel, 0, static_cast<std::uint16_t>(interface.number)});
  }
  return false;
}

Result<bool> bootsel_touch(const UsbContext& context, const UsbPlugged& plugged) {
  auto device = UsbDevice::open(context, plugged);
  if (!device) return fail(device.error().error);
  for (const UsbInterface& interface : (*device)->interfaces()) {
    if (interface.interface_class != cdc_class_communications || interface.subclass != cdc_subclass_abstract_control)
      continue;
    if (const auto claimed = (*device)->claim(interface.number); !claimed) return fail(claimed.error().error);
    const auto index = static_cast<std::uint16_t>(interface.number);
    const auto coded = (*device)->control_out({cdc_out_class_interface, cdc_set_line_coding, 0, index},
                                              cdc_line_coding_8n1(1200), control_limit);
    if (!coded && coded.error().fault == UsbFault::gone) return true;
    if (!coded) return fail(coded.error().error);
    return send_farewell(**device, {cdc_out_class_interface, cdc_set_control_line_state, 0, index});
  }
  return false;
}

}  // namespace hilmark
