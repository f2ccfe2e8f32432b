#include "drivers/unit/open_flasher.h"

#include <algorithm>

#include <fmt/ranges.h>

#include "drivers/console/tty_finder.h"
#include "drivers/dfu/dfu_flasher.h"
#include "drivers/dfu/dfu_usb_port.h"
#include "drivers/dfu/dfuse_flasher.h"
#include "drivers/picoboot/picoboot_flasher.h"
#include "drivers/picoboot/picoboot_usb_port.h"
#include "drivers/tool/tool_flasher.h"

namespace hilmark {
namespace {

constexpr Milliseconds tty_limit{5000};  // for the kernel and udev to make it

/// A flasher with the link that it works through.
template <class Port, class Protocol>
class Owning final : public Flasher {
 public:
  Owning(std::unique_ptr<Port> port, Protocol flasher) : port_(std::move(port)), flasher_(std::move(flasher)) {}

  Result<FlashReport> write(std::uint32_t address, ByteView content, const Progress& progress,
                            const Deadline& deadline) override {
    return flasher_.write(address, content, progress, deadline);
  }
  Result<Bytes> read(std::uint32_t address, std::size_t size_bytes, const Progress& progress,
                     const Deadline& deadline) override {
    return flasher_.read(address, size_bytes, progress, deadline);
  }
  Result<void> start(std::uint32_t address, const Deadline& deadline) override {
    return flasher_.start(address, deadline);
  }
  Result<void> erase_all(const Progress& progress, const Deadline& deadline) override {
    return flasher_.erase_all(progress, deadline);
  }
  [[nodiscard]] bool can_read() const override { return flasher_.can_read(); }

 private:
  std::unique_ptr<Port> port_;  // outlives what works through it
  Protocol flasher_;
};

template <class Port, class Protocol>
Result<std::unique_ptr<Flasher>> owning(std::unique_ptr<Port> port, Result<Protocol> flasher) {
  if (!flasher) return fail(flasher.error());
  return std::make_unique<Owning<Port, Protocol>>(std::move(port), std::move(*flasher));
}

Result<std::unique_ptr<Flasher>> open_dfuse(const FlasherConfig& config, const UsbContext& usb,
                                            const UsbPlugged& bootloader, const Clock& clock) {
  const auto layout = parse_dfuse_layout(config.layout);
  if (!layout) return fail(layout.error());
  auto port = DfuUsbPort::open(usb, bootloader, config.base);
  if (!port) return fail(port.error());
  auto flasher = DfuSeFlasher::make(**port, (*port)->memory(), *layout, clock);
  return owning(std::move(*port), std::move(flasher));
}

Result<std::unique_ptr<Flasher>> open_dfu(const FlasherConfig& config, const UsbContext& usb,
                                          const UsbPlugged& bootloader, const Clock& clock) {
  auto port = DfuUsbPort::open_plain(usb, bootloader);
  if (!port) return fail(port.error());
  auto flasher = DfuFlasher::make(**port, (*port)->memory().functional, {config.base, config.max_bytes}, clock);
  return owning(std::move(*port), std::move(flasher));
}

Result<std::unique_ptr<Flasher>> open_picoboot(const FlasherConfig& config, const UsbContext& usb,
                                               const UsbPlugged& bootloader, const Clock& clock) {
  const auto chip = picoboot_chip_of(bootloader.id);
  if (!chip) {
    return fail(ErrorKind::usage, "{} is no bootloader of an RP2040 or RP2350; correct the board file's states",
                bootloader.text());
  }
  const auto layout = parse_dfuse_layout(config.layout);
  if (!layout) return fail(layout.error());
  const DfuSeSector& last = layout->sectors.back();
  const PicobootFlash flash{*chip, layout->sectors.front().address,
                            last.address + last.size_bytes - layout->sectors.front().address};
  auto port = PicobootUsbPort::open(usb, bootloader);
  if (!port) return fail(port.error());
  auto flasher = PicobootFlasher::make(**port, flash, clock);
  return owning(std::move(*port), std::move(flasher));
}

std::unique_ptr<Flasher> open_tool(const FlasherConfig& config, const UsbContext& usb, const UsbPlugged& plugged,
                                   const Clock& clock, EvidenceLog& evidence) {
  UsbPlugged device = plugged;
  const std::string read = usb.serial_at(plugged);
  if (!read.empty()) device.serial = read;
  ToolTarget target{device.text(), device.port, to_text(device.id), device.serial, {}};
  target.tty = [port = device.port, text = target.device, &clock]() -> Result<std::string> {
    const auto node = await_tty({}, {port, text, std::nullopt}, Deadline(clock, tty_limit));
    if (!node) return fail(node.error());
    return node->string();
  };
  return std::make_unique<ToolFlasher>(config.tool, std::move(target), clock, evidence);
}

}  // namespace

const std::vector<std::string>& flasher_protocols() {
  static const std::vector<std::string> protocols{"dfu", "dfuse", "picoboot", "tool"};
  return protocols;
}

bool has_mass_erase(std::string_view protocol) { return protocol == "dfuse"; }

Result<void> check(const FlasherConfig& config) {
  const auto& known = flasher_protocols();
  if (std::find(known.begin(), known.end(), config.protocol) == known.end()) {
    return fail(ErrorKind::usage, "no flasher `{}`; there is {}", config.protocol, fmt::join(known, ", "));
  }
  const auto layout = parse_dfuse_layout(config.layout);
  if (!layout) return fail(layout.error());
  return config.protocol == "tool" ? check(config.tool) : Result<void>{};
}

Result<std::unique_ptr<Flasher>> open_flasher(const FlasherConfig& config, const UsbContext& usb,
                                              const UsbPlugged& bootloader, const Clock& clock, EvidenceLog& evidence) {
  if (config.protocol == "tool") return open_tool(config, usb, bootloader, clock, evidence);
  if (config.protocol == "dfu") return open_dfu(config, usb, bootloader, clock);
  if (config.protocol == "picoboot") return open_picoboot(config, usb, bootloader, clock);
  return open_dfuse(config, usb, bootloader, clock);
}

Result<bool> request_bootloader(const FlasherConfig& config, const UsbContext& usb, const UsbPlugged& application) {
  if (config.protocol != "picoboot") return dfu_detach(usb, application);
  auto asked = bootsel_request(usb, application);
  if (!asked || *asked) return asked;
  return bootsel_touch(usb, application);
}

}  // namespace hilmark
