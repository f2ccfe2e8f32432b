#include "drivers/console/cdc_acm_port.h"

#include "drivers/usb/cdc.h"

namespace hilmark {
namespace {

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
    if (control.interface_class != cdc_class_communications || control.subclass != cdc_subclass_abstract_control)
      continue;
    const int number = data_number(control);
    for (const UsbInterface& data : interfaces) {
      const bool belongs = number < 0 || data.number == number;
      const bool meant = !wanted || *wanted == control.number || *wanted == data.number;
      if (data.interface_class == cdc_class_data && belongs && meant && !data.endpoints.empty())
        return {&control, &data};
    }
  }
  return {};
}

}  // namespace

UsbResult<void> CdcAcmPort::start(Callbacks callbacks, const ConsoleConfig& config) {
  const auto [control, data] = find_function(device_->interfaces(), config.interface);
  const std::uint8_t in_endpoint = data != nullptr ? data->bulk_endpoint(true) : 0;
  out_endpoint_ = data != nullptr ? data->bulk_endpoint(false) : 0;
  if (control == nullptr || in_endpoint == 0 || out_endpoint_ == 0) {
    return tl::unexpected<UsbFailure>(
        {UsbFault::other, device_->lacks("CDC-ACM console", "the board file's console is wrong")});
  }
  for (const int number : {control->number, data->number}) {
    if (auto claimed = device_->claim(number); !claimed) return claimed;
  }
  const auto index = static_cast<std::uint16_t>(control->number);
  // Both requests are optional to a board (PSTN 1.2, table 13).
  auto coded = device_->control_out({cdc_out_class_interface, cdc_set_line_coding, 0, index},
                                    cdc_line_coding_8n1(config.baud), control_limit);
  if (!coded && coded.error().fault != UsbFault::stall) return coded;
  auto ready = device_->control_out({cdc_out_class_interface, cdc_set_control_line_state, dtr_and_rts, index}, {},
                                    control_limit);
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
