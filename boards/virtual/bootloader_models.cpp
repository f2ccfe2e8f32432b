#include "boards/virtual/bootloader_models.h"

#include "boards/virtual/dfu_model.h"
#include "boards/virtual/dfuse_model.h"
#include "boards/virtual/picoboot_model.h"

namespace virtual_lab {
namespace {

constexpr std::uint16_t product_rp2350 = 0x000f;

constexpr std::size_t layout_string = 3;

// What the faults make of a sound bootloader's descriptors.
UsbDescriptors distorted(UsbDescriptors descriptors, const Faults& faults) {
  constexpr std::size_t interface_count_at = 4;
  constexpr std::size_t first_interface_at = 9;
  constexpr std::size_t functional_bytes = 9;
  constexpr std::size_t transfer_size_in_functional = 5;
  Bytes& configuration = descriptors.configuration;
  switch (faults.descriptors) {
    case Faults::Descriptors::sound:
      break;
    case Faults::Descriptors::cut:
      configuration.resize(configuration.size() - 4);
      break;
    case Faults::Descriptors::zero_length:
      configuration[first_interface_at] = 0;
      break;
    case Faults::Descriptors::zero_transfer_size: {
      // The functional descriptor comes last.
      const std::size_t at = configuration.size() - functional_bytes + transfer_size_in_functional;
      configuration[at] = configuration[at + 1] = 0;
      break;
    }
    case Faults::Descriptors::many_interfaces:
      configuration[interface_count_at] = 255;
      break;
  }
  if (faults.layout_is_garbage && descriptors.strings.size() > layout_string) {
    descriptors.strings[layout_string] = "@Internal Flash /0x0800zz00/99999999*999999Kg,*,/";
  }
  return descriptors;
}

std::shared_ptr<UsbDevice> sound_bootloader(const UnitSpec& unit, FlashMemory& flash, const Faults& faults) {
  const MonotonicClock clock = &std::chrono::steady_clock::now;
  if (unit.protocol == "picoboot") {
    const auto chip =
        unit.bootloader.product == product_rp2350 ? PicobootModel::Chip::rp2350 : PicobootModel::Chip::rp2040;
    return std::make_shared<PicobootModel>(flash, unit.serial, chip, unit.bootloader, faults, clock);
  }
  if (unit.protocol == "dfu") return std::make_shared<DfuModel>(flash, unit.serial, clock, unit.manners, faults);
  return std::make_shared<DfuseModel>(flash, unit.serial, clock, faults, unit.bootloader);
}

}  // namespace

const std::set<std::string>& bootloader_protocols() {
  static const std::set<std::string> protocols{"dfu", "dfuse", "picoboot"};
  return protocols;
}

std::shared_ptr<UsbDevice> make_bootloader(const UnitSpec& unit, FlashMemory& flash, const Faults& faults) {
  auto bootloader = sound_bootloader(unit, flash, faults);
  bootloader->describe_as(distorted(bootloader->descriptors(), faults));
  return bootloader;
}

std::shared_ptr<CdcModel> make_application(const UnitSpec& unit, const Faults& faults) {
  using WayDown = ApplicationKind::WayDown;
  ApplicationKind kind{.ids = unit.application, .way_down = WayDown::dfu, .dfu = {.will_detach = unit.will_detach}};
  if (unit.protocol == "picoboot") kind.way_down = WayDown::reset_interface;
  if (unit.protocol == "dfu") kind.dfu.version = 0x0110;
  const std::string& serial = faults.application_serial.empty() ? unit.serial : faults.application_serial;
  return std::make_shared<CdcModel>(serial, kind, &std::chrono::steady_clock::now, faults.application);
}

}  // namespace virtual_lab
