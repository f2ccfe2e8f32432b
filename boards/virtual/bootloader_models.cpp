#include "boards/virtual/bootloader_models.h"

#include "boards/virtual/dfu_model.h"
#include "boards/virtual/dfuse_model.h"
#include "boards/virtual/picoboot_model.h"

namespace virtual_lab {
namespace {

constexpr std::uint16_t product_rp2350 = 0x000f;

}  // namespace

const std::set<std::string>& bootloader_protocols() {
  static const std::set<std::string> protocols{"dfu", "dfuse", "picoboot"};
  return protocols;
}

std::shared_ptr<UsbDevice> make_bootloader(const UnitSpec& unit, FlashMemory& flash, const Faults& faults) {
  if (unit.protocol == "picoboot") {
    const auto chip =
        unit.bootloader.product == product_rp2350 ? PicobootModel::Chip::rp2350 : PicobootModel::Chip::rp2040;
    return std::make_shared<PicobootModel>(flash, unit.serial, chip, unit.bootloader);
  }
  const MonotonicClock clock = &std::chrono::steady_clock::now;
  if (unit.protocol == "dfu") return std::make_shared<DfuModel>(flash, unit.serial, clock, unit.manners, faults);
  return std::make_shared<DfuseModel>(flash, unit.serial, clock, faults, unit.bootloader);
}

std::shared_ptr<CdcModel> make_application(const UnitSpec& unit) {
  using WayDown = ApplicationKind::WayDown;
  ApplicationKind kind{.ids = unit.application, .way_down = WayDown::dfu, .dfu = {.will_detach = unit.will_detach}};
  if (unit.protocol == "picoboot") kind.way_down = WayDown::reset_interface;
  if (unit.protocol == "dfu") kind.dfu.version = 0x0110;
  return std::make_shared<CdcModel>(unit.serial, kind);
}

}  // namespace virtual_lab
