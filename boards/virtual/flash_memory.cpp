#include "boards/virtual/flash_memory.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include <fmt/format.h>

namespace virtual_lab {
namespace {

constexpr std::uint64_t max_flash_bytes = 64U << 20;
constexpr std::size_t max_sectors = 4096;

std::string_view take_until(std::string_view& rest, char end) {
  const std::size_t at = rest.find(end);
  const std::string_view head = rest.substr(0, at);
  rest = at == std::string_view::npos ? std::string_view() : rest.substr(at + 1);
  return head;
}

std::optional<std::uint32_t> number(std::string_view text, int base) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

struct SectorGroup {
  std::uint32_t count = 0;
  FlashSector sector;
};

// "16*128Kg": count, size, unit (blank, B, K or M), rights (bit 0 readable, 1 erasable, 2 writable of the letter).
std::optional<SectorGroup> parse_group(std::string_view text) {
  if (text.size() < 4) return std::nullopt;
  const char rights = text.back();
  text.remove_suffix(1);
  std::uint32_t unit = 1;
  if (text.back() == 'K') unit = 1024;
  if (text.back() == 'M') unit = 1024 * 1024;
  if (unit != 1 || text.back() == 'B' || text.back() == ' ') text.remove_suffix(1);
  const auto count = number(take_until(text, '*'), 10);
  const auto size = number(text, 10);
  if (!count || !size || *count == 0 || *size == 0 || rights < 'a' || rights > 'g') return std::nullopt;
  if (*count > max_sectors || *size > max_flash_bytes / unit) return std::nullopt;
  const unsigned bits = static_cast<unsigned>(rights) & 7U;
  return SectorGroup{*count, FlashSector{0, *size * unit, (bits & 1) != 0, (bits & 2) != 0, (bits & 4) != 0}};
}

}  // namespace

Result<FlashLayout> FlashLayout::parse(std::string_view text) {
  const auto refuse = [&](std::string_view why) {
    return failure(
        fmt::format(R"(layout "{}": {}; expected for instance "@Internal Flash /0x08000000/16*128Kg")", text, why));
  };
  FlashLayout layout;
  layout.text = std::string(text);
  if (text.empty() || text.front() != '@') return refuse("does not begin with @");
  if (text.size() > 126) return refuse("is longer than the 126 characters of a USB string");
  std::string_view rest = text;
  take_until(rest, '/');
  std::string_view base = take_until(rest, '/');
  if (!base.starts_with("0x")) return refuse("no address that begins with 0x");
  base.remove_prefix(2);
  const auto base_value = number(base, 16);
  if (!base_value) return refuse("the address is not a number of 32 bits");
  layout.base = *base_value;
  if (rest.find('/') != std::string_view::npos) return refuse("more than one region");
  while (!rest.empty()) {
    const std::string_view group_text = take_until(rest, ',');
    const auto group = parse_group(group_text);
    if (!group) return refuse(fmt::format("cannot read the sectors \"{}\"", group_text));
    for (std::uint32_t i = 0; i < group->count; ++i) {
      FlashSector sector = group->sector;
      sector.offset = layout.size;
      if (std::uint64_t{layout.size} + sector.size > max_flash_bytes || layout.sectors.size() >= max_sectors) {
        return refuse("larger than 64 MiB or 4096 sectors");
      }
      layout.size += sector.size;
      layout.sectors.push_back(sector);
    }
  }
  if (layout.sectors.empty()) return refuse("no sectors");
  if (layout.base > UINT32_MAX - layout.size + 1) return refuse("ends beyond 32 bits");
  return layout;
}

FlashMemory::FlashMemory(FlashLayout layout, std::span<std::uint8_t> cells)
    : layout_(std::move(layout)),
      cells_(cells),
      erases_(layout_.sectors.size(), 0),
      programs_(layout_.sectors.size(), 0) {}

FlashResult FlashMemory::read(std::uint32_t offset, std::span<std::uint8_t> into) const {
  if (!range_allows(offset, into.size(), &FlashSector::readable)) return FlashResult::outside;
  std::copy_n(cells_.begin() + offset, into.size(), into.begin());
  return FlashResult::done;
}

FlashResult FlashMemory::erase_sector_at(std::uint32_t offset) {
  const FlashSector* sector = sector_at(offset);
  if (sector == nullptr || !sector->erasable) return FlashResult::outside;
  erase(static_cast<std::size_t>(sector - layout_.sectors.data()));
  return FlashResult::done;
}

FlashResult FlashMemory::program(std::uint32_t offset, ByteView data) {
  if (!range_allows(offset, data.size(), &FlashSector::writable)) return FlashResult::outside;
  bool every_cell_took_it = true;
  for (std::size_t i = 0; i < data.size(); ++i) {
    std::uint8_t& cell = cells_[offset + i];
    cell &= data[i];
    every_cell_took_it = every_cell_took_it && cell == data[i];
  }
  for (std::size_t i = 0; i < layout_.sectors.size() && !data.empty(); ++i) {
    const FlashSector& sector = layout_.sectors[i];
    if (sector.offset < offset + data.size() && offset < sector.offset + sector.size) ++programs_[i];
  }
  return every_cell_took_it ? FlashResult::done : FlashResult::not_erased;
}

void FlashMemory::erase_all() {
  for (std::size_t i = 0; i < layout_.sectors.size(); ++i) {
    if (layout_.sectors[i].erasable) erase(i);
  }
}

const FlashSector* FlashMemory::sector_at(std::uint32_t offset) const {
  const auto found = std::find_if(layout_.sectors.begin(), layout_.sectors.end(), [&](const FlashSector& sector) {
    return offset >= sector.offset && offset - sector.offset < sector.size;
  });
  return found == layout_.sectors.end() ? nullptr : &*found;
}

bool FlashMemory::range_allows(std::uint32_t offset, std::size_t size, bool FlashSector::*right) const {
  if (offset > layout_.size || size > layout_.size - offset) return false;
  return std::all_of(layout_.sectors.begin(), layout_.sectors.end(), [&](const FlashSector& sector) {
    const bool touched = sector.offset < offset + size && offset < sector.offset + sector.size;
    return !touched || sector.*right;
  });
}

void FlashMemory::erase(std::size_t index) {
  const FlashSector& sector = layout_.sectors[index];
  std::fill_n(cells_.begin() + sector.offset, sector.size, std::uint8_t{0xff});
  ++erases_[index];
}

}  // namespace virtual_lab
