#include "drivers/dfu/dfu_usb_port.h"

#include <algorithm>

namespace hilmark {
namespace {

constexpr int class_application_specific = 0xfe;
constexpr int subclass_dfu = 1;
constexpr int protocol_runtime = 1;
constexpr int protocol_dfu_mode = 2;
constexpr std::string_view option_bytes_name = "Option Bytes";
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

Result<std::unique_ptr<DfuUsbPort>> DfuUsbPort::attach(const UsbContext& context, const UsbPlugged& plugged) {
  auto device = UsbDevice::open(context, plugged);
  if (!device) return fail(device.error().error);
  const auto functional = functional_of((*device)->interfaces(), protocol_dfu_mode);
  if (!functional) {
    return fail((*device)->lacks("DFU interface", "the board file's bootloader ids are wrong"));
  }
  std::unique_ptr<DfuUsbPort> port(new DfuUsbPort(std::move(*device)));
  port->memory_.functional = *functional;
  return port;
}

Result<void> DfuUsbPort::choose(const UsbInterface& interface) {
  if (const auto claimed = device_->claim(interface.number); !claimed) return fail(claimed.error().error);
  const auto chosen = device_->set_alternate(interface.number, interface.alternate);
  if (!chosen) return fail(chosen.error().error);
  interface_ = static_cast<std::uint16_t>(interface.number);
  return {};
}

Result<std::unique_ptr<DfuUsbPort>> DfuUsbPort::open(const UsbContext& context, const UsbPlugged& plugged,
                                                     std::uint32_t address) {
  auto attached = attach(context, plugged);
  if (!attached) return attached;
  DfuUsbPort& port = **attached;
  const UsbInterface* found = nullptr;
  std::string seen;
  for (const UsbInterface& interface : port.device_->interfaces()) {
    if (!is_dfu(interface, protocol_dfu_mode)) continue;
    const auto name = port.device_->text(interface.name_index);
    if (!name) return fail(name.error().error);
    seen += (seen.empty() ? "" : ", ") + printable(*name);
    auto layout = parse_dfuse_layout(*name);
    if (!layout) continue;
    if (layout->name.starts_with(option_bytes_name)) port.memory_.option_bytes = layout->sectors.front().address;
    if (found != nullptr || !layout->covering(address, 1)) continue;
    found = &interface;
    port.memory_.layout = std::move(*layout);
  }
  if (found == nullptr) {
    return fail(ErrorKind::usage,
                "{} has no memory that holds {:#010x}, only: {}; is it the chip that the board file names?",
                port.device_text(), address, seen);
  }
  if (const auto chosen = port.choose(*found); !chosen) return fail(chosen.error());
  return attached;
}

Result<std::unique_ptr<DfuUsbPort>> DfuUsbPort::open_plain(const UsbContext& context, const UsbPlugged& plugged) {
  auto attached = attach(context, plugged);
  if (!attached) return attached;
  DfuUsbPort& port = **attached;
  const auto& all = port.device_->interfaces();
  const auto first = std::find_if(all.begin(), all.end(), [](const UsbInterface& interface) {
    return is_dfu(interface, protocol_dfu_mode);  // attach() has seen one.
  });
  if (const auto chosen = port.choose(*first); !chosen) return fail(chosen.error());
  return attached;
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

Result<void> DfuUsbPort::reset_bus() {
  const auto reset = device_->reset_bus();
  if (!reset) return fail(reset.error());
  return {};
}

DfuDetachPlan plan_dfu_detach(const DfuFunctional& functional) {
  return {static_cast<std::uint16_t>(functional.detach_timeout.count()), !functional.will_detach};
}

Result<bool> dfu_detach(const UsbContext& context, const UsbPlugged& plugged) {
  auto device = UsbDevice::open(context, plugged);
  if (!device) return fail(device.error().error);
  const auto functional = functional_of((*device)->interfaces(), protocol_runtime);
  if (!functional) return false;
  const DfuDetachPlan plan = plan_dfu_detach(*functional);
  for (const UsbInterface& interface : (*device)->interfaces()) {
    if (!is_dfu(interface, protocol_runtime)) continue;
    if (const auto claimed = (*device)->claim(interface.number); !claimed) return fail(claimed.error().error);
    const UsbSetup setup{out_class_interface, static_cast<std::uint8_t>(DfuRequest::detach), plan.timeout_ms,
                         static_cast<std::uint16_t>(interface.number)};
    const auto sent = (*device)->control_out(setup, {}, transfer_limit);
    // A board that detaches by itself may be gone before it acknowledges.
    if (!sent && sent.error().fault != UsbFault::gone) return fail(sent.error().error);
    if (!plan.host_resets_bus) return true;
    if (const auto reset = (*device)->reset_bus(); !reset) return fail(reset.error());
    return true;
  }
  return false;
}

}  // namespace hilmark
