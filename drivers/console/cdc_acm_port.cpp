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

/// The number of the data interface that a control interface's union descriptor names (CDC 1.2, table 16), or -1.
int data_number(const UsbInterface& control) {
  constexpr std::uint8_t cs_interface = 0x24;
  constexpr std::uint8_t union_subtype = 0x06;
  const Bytes& extra = control.extra;
  for (std::size_t at = 0; at + 4 < extra.size() && extra[at] > 0; at += extra[at]) {
    if (extra[at] >= 5 && extra[at + 1] == cs_interface && extra[at + 2] == union_subtype) return extra[at + 4];
  }
  return -1;
}

/// The two interfaces of one CDC-ACM function.
struct Function {
  const UsbInterface* control = nullptr;
  const UsbInterface* data = nullptr;
};

Function find_function(const std::vector<UsbInterface>& interfaces, std::optional<int> wanted) {
  for (const UsbInterface& control : interfaces) {
    if (control.interface_class != class_communications || control.subclass != subclass_abstract_control) continue;
    const int number = data_number(control);
    for (const UsbInterface& data : interfaces) {
      const bool belongs = number < 0 || data.number == number;
      const bool meant = !wanted || *wanted == control.number || *wanted == data.number;
      if (data.interface_class == class_data && belongs && meant && !data.endpoints.empty()) return {&control, &data};
    }
  }
  return {};
}

/// The bulk endpoint of that direction, or 0, which is never one.
std::uint8_t bulk_endpoint(const UsbInterface& interface, bool towards_host) {
  for (const UsbEndpoint& endpoint : interface.endpoints) {
    if (endpoint.is_bulk && ((endpoint.address & 0x80) != 0) == towards_host) return endpoint.address;
  }
  return 0;
}

}  // namespace

UsbResult<void> CdcAcmPort::start(Callbacks callbacks, const ConsoleConfig& config) {
  const auto [control, data] = find_function(device_->interfaces(), config.interface);
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
  // Baud, one stop bit, no parity, 8 bits (table 17). Both requests are optional to a board (table 13).
  const auto baud_octet = [&](unsigned shift) { return static_cast<std::uint8_t>(config.baud >> shift); };
  const Bytes line_coding{baud_octet(0), baud_octet(8), baud_octet(16), baud_octet(24), 0, 0, 8};
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
                                                      Callbacks callbacks, const ConsoleConfig& config) {
  auto device = UsbDevice::open(context, plugged);
  if (!device) return fail(device.error().error);
  std::unique_ptr<CdcAcmPort> port(new CdcAcmPort(std::move(*device)));
  if (const auto started = port->start(std::move(callbacks), config); !started) return fail(started.error().error);
  return port;
}

Result<void> CdcAcmPort::write(ByteView data, Milliseconds limit) {
  const auto written = device_->bulk_out(out_endpoint_, data, limit);
  if (!written) return fail(written.error().error);
  return {};
}

}  // namespace hilmark
