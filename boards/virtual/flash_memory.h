// The flash of one chip: sectors that erase as a whole to 0xFF, and cells whose bits programming can only clear.
// Knows nothing of files: it works on cells that somebody else keeps.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "boards/virtual/little_endian.h"
#include "boards/virtual/result.h"

namespace virtual_lab {

struct FlashSector {
  std::uint32_t offset = 0;  // bytes from the base
  std::uint32_t size = 0;    // bytes
  bool readable = false;
  bool erasable = false;
  bool writable = false;
};

// The memory map that a DfuSe layout text describes (UM0424 section 10.3.2), for instance
// "@Internal Flash /0x08000000/16*128Kg". Sectors follow each other without gaps.
struct FlashLayout {
  std::string text;
  std::uint32_t base = 0;
  std::uint32_t size = 0;
  std::vector<FlashSector> sectors;

  [[nodiscard]] static Result<FlashLayout> parse(std::string_view text);
};

enum class FlashResult {
  done,
  outside,     // an address that is not in a sector which allows this
  not_erased,  // a 1 was asked for where a 0 stands; all other bits are programmed
};

class FlashMemory {
 public:
  // `cells` are layout.size bytes and outlive this.
  FlashMemory(FlashLayout layout, std::span<std::uint8_t> cells);

  // Offsets count from the layout's base.
  [[nodiscard]] FlashResult read(std::uint32_t offset, std::span<std::uint8_t> into) const;
  [[nodiscard]] FlashResult erase_sector_at(std::uint32_t offset);
  [[nodiscard]] FlashResult program(std::uint32_t offset, ByteView data);
  void erase_all();

  [[nodiscard]] const FlashLayout& layout() const { return layout_; }
  [[nodiscard]] ByteView cells() const { return cells_; }
  // Operations since the lab was started, one number a sector.
  [[nodiscard]] const std::vector<std::uint64_t>& erases() const { return erases_; }
  [[nodiscard]] const std::vector<std::uint64_t>& programs() const { return programs_; }

 private:
  [[nodiscard]] const FlashSector* sector_at(std::uint32_t offset) const;
  [[nodiscard]] bool range_allows(std::uint32_t offset, std::size_t size, bool FlashSector::*right) const;
  void erase(std::size_t index);

  FlashLayout layout_;
  std::span<std::uint8_t> cells_;
  std::vector<std::uint64_t> erases_;
  std::vector<std::uint64_t> programs_;
};

}  // namespace virtual_lab
