#include "drivers/dfu/dfuse_layout.h"

#include <algorithm>
#include <charconv>

namespace hilmark {
namespace {

constexpr std::size_t max_sectors = 65536;

/// Reads from the left; remembers where it stands, for messages.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  [[nodiscard]] bool at_end() const { return position_ == text_.size(); }
  bool take(char wanted) {
    if (at_end() || text_[position_] != wanted) return false;
    ++position_;
    return true;
  }
  char take_any() { return at_end() ? '\0' : text_[position_++]; }
  std::string_view take_until(char end) {
    const std::size_t start = position_;
    position_ = std::min(text_.find(end, start), text_.size());
    return text_.substr(start, position_ - start);
  }
  std::optional<std::uint32_t> number(int base) {
    std::uint32_t value = 0;
    const char* const start = text_.data() + position_;
    const auto [end, error] = std::from_chars(start, text_.data() + text_.size(), value, base);
    if (error != std::errc()) return std::nullopt;
    position_ += static_cast<std::size_t>(end - start);
    return value;
  }
  [[nodiscard]] tl::unexpected<Error> expected(std::string_view what) const {
    return fail(ErrorKind::usage, "'{}' is no DfuSe memory layout: expected {} at column {}", text_, what,
                position_ + 1);
  }

 private:
  std::string_view text_;
  std::size_t position_ = 0;
};

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

Result<void> read_run(Reader& reader, std::uint64_t& address, std::vector<DfuSeSector>& sectors) {
  const auto count = reader.number(10);
  if (!count || *count == 0) return reader.expected("a number of sectors");
  if (!reader.take('*')) return reader.expected("'*'");
  const auto size = reader.number(10);
  if (!size || *size == 0) return reader.expected("a sector size");
  std::uint64_t size_bytes = *size;
  char type = reader.take_any();
  if (type == 'K' || type == 'M' || type == 'B' || type == ' ') {
    if (type == 'K') size_bytes <<= 10;
    if (type == 'M') size_bytes <<= 20;
    type = reader.take_any();
  }
  if (type < 'a' || type > 'g') return reader.expected("a sector type, a to g, before here");
  if (sectors.size() + *count > max_sectors) return reader.expected("65536 sectors at most");
  if (address + *count * size_bytes > std::uint64_t{1} << 32) return reader.expected("sectors below 4 GiB");
  // The letter's low three bits: readable, erasable, writable.
  const int bits = type - 'a' + 1;
  for (std::uint32_t index = 0; index < *count; ++index) {
    sectors.push_back({static_cast<std::uint32_t>(address), static_cast<std::uint32_t>(size_bytes), (bits & 1) != 0,
                       (bits & 2) != 0, (bits & 4) != 0});
    address += size_bytes;
  }
  return {};
}

}  // namespace

Result<DfuSeLayout> parse_dfuse_layout(std::string_view text) {
  Reader reader(text);
  DfuSeLayout layout;
  if (!reader.take('@')) return reader.expected("'@'");
  layout.name = trimmed(reader.take_until('/'));
  if (layout.name.empty()) return reader.expected("a name");
  while (reader.take('/')) {
    if (!reader.take('0') || !(reader.take('x') || reader.take('X'))) return reader.expected("'0x'");
    const auto start = reader.number(16);
    if (!start) return reader.expected("an address");
    std::uint64_t address = *start;
    if (!reader.take('/')) return reader.expected("'/'");
    do {
      if (const auto run = read_run(reader, address, layout.sectors); !run) return fail(run.error());
    } while (reader.take(','));
    while (reader.take(' ')) {
    }
  }
  if (!reader.at_end()) return reader.expected("',' or '/' or the end");
  if (layout.sectors.empty()) return reader.expected("'/' and an address");
  std::sort(layout.sectors.begin(), layout.sectors.end(),
            [](const DfuSeSector& left, const DfuSeSector& right) { return left.address < right.address; });
  for (std::size_t index = 1; index < layout.sectors.size(); ++index) {
    const DfuSeSector& before = layout.sectors[index - 1];
    if (before.address + std::uint64_t{before.size_bytes} > layout.sectors[index].address) {
      return fail(ErrorKind::usage, "'{}' is no DfuSe memory layout: sectors overlap at {:#010x}", text,
                  layout.sectors[index].address);
    }
  }
  return layout;
}

Result<std::vector<DfuSeSector>> DfuSeLayout::covering(std::uint32_t address, std::size_t size_bytes) const {
  std::vector<DfuSeSector> covered;
  std::uint64_t next = address;
  const std::uint64_t end = next + size_bytes;
  for (const DfuSeSector& sector : sectors) {
    const std::uint64_t sector_end = sector.address + std::uint64_t{sector.size_bytes};
    if (next >= end || sector_end <= next) continue;
    if (sector.address > next) break;
    covered.push_back(sector);
    next = sector_end;
  }
  if (next < end) {
    return fail(ErrorKind::usage, "{} bytes at {:#010x} do not fit: {:#010x} is not in {}", size_bytes, address, next,
                name);
  }
  return covered;
}

}  // namespace hilmark
