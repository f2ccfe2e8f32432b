// Faults that a device model shows on demand, by name: what real boards were seen to do wrong.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "boards/virtual/result.h"

namespace virtual_lab {

// Of transfers, counted from 1 since the device came onto the bus: requests to an interface, and what an endpoint takes
// or gives at a time.
class TransferFaults {
 public:
  enum class Strike { none, stall, silence, unplug };

  std::optional<unsigned> stall_at;   // that transfer is answered by a stall
  std::optional<unsigned> silent_at;  // from that transfer on none is answered
  std::optional<unsigned> unplug_at;  // the cable goes before that transfer is answered

  // What befalls the next one.
  [[nodiscard]] Strike next();

 private:
  unsigned transfers_ = 0;
};

struct Faults {
  struct StatusAt {
    std::uint32_t status = 0;
    std::uint16_t at = 0;
  };
  enum class Descriptors {
    sound,
    cut,                 // the configuration ends amidst what it announces
    zero_length,         // its first interface says that it has no octets
    zero_transfer_size,  // DFU: no octets fit into a block
    many_interfaces,     // it announces 255
  };

  // "stall-at=17", "silent-at=17", "unplug-at=17"
  TransferFaults bootloader;
  // "app-stall-at=17", "app-silent-at=17", "app-unplug-at=17"
  TransferFaults application;
  // "busy-ms=5000": each erase and program lasts longer by that
  std::chrono::milliseconds busy{0};
  // "lie-poll": it asks for 1 ms whenever it needs more
  bool lies_about_poll_time = false;
  // "status=errPROG@12": block 12 ends in that status (DFU 1.1, chapter 6.1.2; in DfuSe commands have block 0, and data
  // counts from 2)
  std::vector<StatusAt> dfu_status_at;
  // "status=BAD_ALIGNMENT@5": command 5 ends in that status (RP2040 datasheet, "USB PICOBOOT Interface")
  std::vector<StatusAt> picoboot_status_at;
  // "short-upload@3": block 3, with PICOBOOT command 3, brings half of what was asked for
  std::optional<std::uint16_t> short_upload;
  // "corrupt-flash@0x08001000": the cell there reads one bit wrong
  std::optional<std::uint32_t> corrupt_flash;
  // "return-late-ms=2000": whenever it changes its program it is away for longer by that
  std::chrono::milliseconds return_late{0};
  // "return-never": once it has left for its other program, only new power or its reset pin brings it back
  bool never_returns = false;
  // "app-serial=V0002": the application's serial number
  std::string application_serial;
  // "layout-garbage": DfuSe's name of the memory is nonsense
  bool layout_is_garbage = false;
  // "descriptors=cut", "…=zero-length", "…=zero-transfer-size", "…=many-interfaces": of the bootloader
  Descriptors descriptors = Descriptors::sound;

  // Items with commas or blanks between them; none is none. The error names the item and what there is.
  [[nodiscard]] static Result<Faults> parse(std::string_view text);
};

}  // namespace virtual_lab
