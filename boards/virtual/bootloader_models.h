// Which models stand for a unit's two programs: by the chip file's flasher protocol.
#pragma once

#include <memory>
#include <set>
#include <string>

#include "boards/virtual/cdc_model.h"
#include "boards/virtual/flash_memory.h"
#include "boards/virtual/lab_file.h"

namespace virtual_lab {

// The protocols that there is a bootloader for. A new one: its name here, its model in make_bootloader().
[[nodiscard]] const std::set<std::string>& bootloader_protocols();

// `unit.protocol` is one of bootloader_protocols(). `flash` outlives the device.
[[nodiscard]] std::shared_ptr<UsbDevice> make_bootloader(const UnitSpec& unit, FlashMemory& flash,
                                                         const Faults& faults);

// The application, with the way into the bootloader that belongs to it.
[[nodiscard]] std::shared_ptr<CdcModel> make_application(const UnitSpec& unit, const Faults& faults);

}  // namespace virtual_lab
