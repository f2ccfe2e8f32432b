// Faults that a device model shows on demand, by name: what real bootloaders were seen to do wrong.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "boards/virtual/result.h"

namespace virtual_lab {

// Transfers are requests to the bootloader, counted from 1 since it came onto the bus.
struct Faults {
  struct StatusAtBlock {
    std::uint8_t status = 0;  // bStatus of DFU 1.1, chapter 6.1.2
    std::uint16_t block = 0;  // wBlockNum; in DfuSe commands have 0, and data counts from 2
  };

  std::optional<unsigned> stall_at;            // "stall-at=17": that transfer is answered by a stall
  std::chrono::milliseconds busy{0};           // "busy-ms=5000": each erase and program lasts longer by that
  bool lies_about_poll_time = false;           // "lie-poll": it asks for 1 ms whenever it needs more
  std::vector<StatusAtBlock> status_at;        // "status=errPROG@12": block 12 ends in that status
  std::optional<std::uint16_t> short_upload;   // "short-upload@3": block 3 brings half of what was asked for
  std::optional<std::uint32_t> corrupt_flash;  // "corrupt-flash@0x08001000": the cell there reads one bit wrong
  std::optional<unsigned> unplug_at;           // "unplug-at=40": the cable goes before that transfer is answered

  // Items with commas or blanks between them; none is none. The error names the item and what there is.
  [[nodiscard]] static Result<Faults> parse(std::string_view text);
};

}  // namespace virtual_lab
