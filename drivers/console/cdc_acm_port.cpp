#include "drivers/console/cdc_acm_port.h"

namespace hilmark {
namespace {

constexpr int class_communications = 0x02;
constexpr int subclass_abstract_control = 0x02;
constexpr int class_data = 0x0a;
constexpr std::uint8_t out_class_interface = 0x21;
constexpr std::uint8_t set_line_coding = 0x20;
constexpr std::uint8_t set_control_line_state = 0x22;
constexpr std::uint16_t dtr_and_rts = 3;
constexpr Milliseconds control_limit{2000};

const UsbInterface* find(const std::vector<UsbInterface>& interfaces, int interface_class, int subclass) {
  for (const UsbInterface& interface : interfaces) {
    if (interface.interface_class == interface_class && (subclass < 0 || interface.subclass == subclass))
      return &interface;
  }
  return nullptr;
}

/// The bulk endpoint of that direction, or 0, which is never one.
std::uint8_t bulk_endpoint(const UsbInterface& interface, bool towards_host) {
  for (const UsbEndpoint& endpoint : interface.endpoints) {
    if (endpoint.is_bulk && ((endpoint.address & 0x80) != 0) == towards_host) return endpoint.address;
  }
  return 0;
}

}  // namespace

UsbResult<void> CdcAcmPort::start(Callbacks callbacks) {
  const UsbInterface* const control = find(device_->interfaces(), class_communications, subclass_abstract_control);
  const UsbInterface* const data = find(device_->interfaces(), class_data, -1);
  const std::uint8_t in_endpoint = data != nullptr ? bulk_endpoint(*data, true) : 0;
  out_endpoint_ = data != nullptr ? bulk_endpoint(*data, false) : 0;
  if (control == nullptr || in_endpoint == 0 || out_endpoint_ == 0) {
    return tl::unexpected<UsbFailure>(
        {UsbFault::other,
         {ErrorKind::usage,
          fmt::format("{} has no CDC-ACM console; the board file's console is wrong", device_text())}});
  }
  for (const int number : {control->number, data->number}) {
    if (auto claimed = device_->claim(number); !claimed) return claimed;
  }
  const auto index = static_cast<std::uint16_t>(control->number);
  // 115200 baud, one stop bit, no parity, 8 bits (table 17). Both requests are optional to a board (table 13).
  const Bytes line_coding{0x00, 0xc2, 0x01, 0x00, 0, 0, 8};
  auto coded = device_->control_out({out_class_interface, set_line_coding, 0, index}, line_coding, control_limit);
  if (!coded && coded.error().fault != UsbFault::stall) return coded;
  auto ready =
      device_->control_out({out_class_interface, set_control_line_state, dtr_and_rts, index}, {}, control_limit);
  if (!ready && ready.error().fault != UsbFault::stall) return ready;
  auto stream = UsbInStream::start(
      *device_, in_endpoint,
      {std::move(callbacks.on_data),
       [on_closed = std::move(callbacks.on_closed)](const UsbFailure& failure) { on_closed(failure.error); }});
  if (!stream) return tl::unexpected<UsbFailure>(stream.error());
  stream_ = std::move(*stream);
  return {};
}

Result<std::unique_ptr<ConsolePort>> CdcAcmPort::open(const UsbContext& context, const UsbPlugged& plugged,
                                                      Callbacks callbacks) {
  auto device = UsbDevice::open(context, plugged);
  if (!device) return fail(device.error().error);
  std::unique_ptr<CdcAcmPort> port(new CdcAcmPort(std::move(*device)));
  if (const auto started = port->start(std::move(callbacks)); !started) return fail(started.error().error);
  return port;
}

Result<void> CdcAcmPort::write(ByteView data, Milliseconds limit) {
  const auto written = device_->bulk_out(out_endpoint_, data, limit);
  if (!written) return fail(written.error().error);
  return {};
}

}  // namespace hilmark
