#include "boards/virtual/bootloader_models.h"

#include "boards/virtual/dfuse_model.h"
#include "boards/virtual/picoboot_model.h"

namespace virtual_lab {
namespace {

constexpr std::uint16_t product_rp2350 = 0x000f;

}  // namespace

const std::set<std::string>& bootloader_protocols() {
  static const std::set<std::string> protocols{"dfuse", "picoboot"};
  return protocols;
}

std::shared_ptr<UsbDevice> make_bootloader(const UnitSpec& unit, FlashMemory& flash) {
  if (unit.protocol == "picoboot") {
    const auto chip =
        unit.bootloader.product == product_rp2350 ? PicobootModel::Chip::rp2350 : PicobootModel::Chip::rp2040;
    return std::make_shared<PicobootModel>(flash, unit.serial, chip, unit.bootloader);
  }
  return std::make_shared<DfuseModel>(flash, unit.serial, &std::chrono::steady_clock::now, unit.bootloader);
}

std::shared_ptr<CdcModel> make_application(const UnitSpec& unit) {
  const auto way_down = unit.protocol == "picoboot" ? CdcModel::WayDown::reset_interface : CdcModel::WayDown::dfu;
  return std::make_shared<CdcModel>(unit.serial, unit.application, way_down);
}

}  // namespace virtual_lab
