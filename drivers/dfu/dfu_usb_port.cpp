#include "drivers/dfu/dfu_usb_port.h"

namespace hilmark {
namespace {

constexpr int class_application_specific = 0xfe;
constexpr int subclass_dfu = 1;
constexpr int protocol_runtime = 1;
constexpr int protocol_dfu_mode = 2;
constexpr std::uint8_t out_class_interface = 0x21;
constexpr std::uint8_t in_class_interface = 0xa1;
constexpr Milliseconds transfer_limit{5000};

bool is_dfu(const UsbInterface& interface, int protocol) {
  return interface.interface_class == class_application_specific && interface.subclass == subclass_dfu &&
         interface.protocol == protocol;
}

DfuPort::Answer answer_of(UsbResult<Bytes> result) {
  if (result) return std::move(*result);
  if (result.error().fault == UsbFault::stall) return DfuPort::Stall{};
  return fail(result.error().error);
}

/// The functional descriptor may stand behind any of the alternate settings.
std::optional<DfuFunctional> functional_of(const std::vector<UsbInterface>& interfaces, int protocol) {
  for (const UsbInterface& interface : interfaces) {
    if (!is_dfu(interface, protocol)) continue;
    if (const auto functional = find_dfu_functional(interface.extra)) return functional;
  }
  return std::nullopt;
}

}  // namespace

Result<std::unique_ptr<DfuUsbPort>> DfuUsbPort::open(const UsbContext& context, const UsbPlugged& plugged,
                                                     std::uint32_t address) {
  auto device = UsbDevice::open(context, plugged);
  if (!device) return fail(device.error().error);
  const std::string who = (*device)->plugged().text();
  const auto functional = functional_of((*device)->interfaces(), protocol_dfu_mode);
  if (!functional)
    return fail(ErrorKind::usage, "{} has no DFU interface; the board file's bootloader ids are wrong", who);
  std::unique_ptr<DfuUsbPort> port(new DfuUsbPort(std::move(*device)));
  std::string seen;
  for (const UsbInterface& interface : port->device_->interfaces()) {
    if (!is_dfu(interface, protocol_dfu_mode)) continue;
    const auto name = port->device_->text(interface.name_index);
    if (!name) return fail(name.error().error);
    seen += (seen.empty() ? "" : ", ") + printable(*name);
    auto layout = parse_dfuse_layout(*name);
    if (!layout || !layout->covering(address, 1)) continue;
    if (const auto claimed = port->device_->claim(interface.number); !claimed) return fail(claimed.error().error);
    const auto chosen = port->device_->set_alternate(interface.number, interface.alternate);
    if (!chosen) return fail(chosen.error().error);
    port->memory_ = {std::move(*layout), *functional};
    port->interface_ = static_cast<std::uint16_t>(interface.number);
    return port;
  }
  return fail(ErrorKind::usage,
              "{} has no memory that holds {:#010x}, only: {}; is it the chip that the board file names?", who, address,
              seen);
}

DfuPort::Answer DfuUsbPort::send(DfuRequest request, std::uint16_t value, ByteView data) {
  const UsbSetup setup{out_class_interface, static_cast<std::uint8_t>(request), value, interface_};
  return answer_of(device_->control_out(setup, data, transfer_limit).map([] { return Bytes(); }));
}

DfuPort::Answer DfuUsbPort::receive(DfuRequest request, std::uint16_t value, std::uint16_t size_bytes) {
  const UsbSetup setup{in_class_interface, static_cast<std::uint8_t>(request), value, interface_};
  return answer_of(device_->control_in(setup, size_bytes, transfer_limit));
}

Result<void> DfuUsbPort::wait(Milliseconds time) {
  const auto waited = device_->wait(time);
  if (!waited) return fail(waited.error().error);
  return {};
}

Result<bool> dfu_detach(const UsbContext& context, const UsbPlugged& plugged) {
  auto device = UsbDevice::open(context, plugged);
  if (!device) return fail(device.error().error);
  const auto functional = functional_of((*device)->interfaces(), protocol_runtime);
  if (!functional) return false;
  for (const UsbInterface& interface : (*device)->interfaces()) {
    if (!is_dfu(interface, protocol_runtime)) continue;
    if (const auto claimed = (*device)->claim(interface.number); !claimed) return fail(claimed.error().error);
    const UsbSetup setup{out_class_interface, static_cast<std::uint8_t>(DfuRequest::detach),
                         static_cast<std::uint16_t>(functional->detach_timeout.count()),
                         static_cast<std::uint16_t>(interface.number)};
    const auto sent = (*device)->control_out(setup, {}, transfer_limit);
    // A board that detaches by itself may be gone before it acknowledges.
    if (!sent && sent.error().fault != UsbFault::gone) return fail(sent.error().error);
    if (!functional->will_detach) (*device)->reset_bus();
    return true;
  }
  return false;
}

}  // namespace hilmark
