// The lab file's virtual units with the facts of their boards and chips.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "boards/virtual/dfu_model.h"
#include "boards/virtual/faults.h"
#include "boards/virtual/flash_memory.h"
#include "boards/virtual/result.h"
#include "boards/virtual/usb_device.h"

namespace virtual_lab {

// A hub between the root hub and boards.
struct HubSpec {
  unsigned port = 0;   // of the root hub
  unsigned ports = 4;  // its own
  // Its USB 3 half, and what tells that both are one hub: their container ids, or only the ports' peer links in /sys.
  enum class Usb3 { none, container_id, peer } usb3 = Usb3::none;

  static constexpr unsigned max_ports = 7;
};

struct UnitSpec {
  std::string id;
  unsigned port = 0;      // of bus 1's root hub, from 1 on
  unsigned hub_port = 0;  // of the hub that is plugged in there; 0: the board is
  std::string serial;
  bool tty = false;  // its console is /dev/ttyACM…, too
  Faults faults;
  DfuManners manners;       // of a bootloader of protocol "dfu"
  bool will_detach = true;  // of its application
  std::string chip;
  std::string protocol = "dfuse";  // of bootloader_protocols()
  UsbIds bootloader{0x0483, 0xdf11};
  UsbIds application{0x0483, 0x5740};
  FlashLayout layout;
  std::uint32_t image_max_bytes = 0;  // the sectors from there on are the firmware's

  [[nodiscard]] std::string port_name() const;  // "1-4", "1-4.2"
};

// Reads the units that have a `virtual:` block. What else stands in the file is not for this program. Board files are
// looked for in the lab file's folder and those above it (and in a folder boards/ of each), then in each of
// `elsewhere`; chip files in chips/ beside the board file. Errors name file and line, and say what was expected.
[[nodiscard]] Result<std::vector<UnitSpec>> read_lab_file(const std::filesystem::path& file,
                                                          const std::vector<std::filesystem::path>& elsewhere);

// The hubs of its `virtual: {hubs: [...]}`.
[[nodiscard]] Result<std::vector<HubSpec>> read_lab_hubs(const std::filesystem::path& file);

}  // namespace virtual_lab
