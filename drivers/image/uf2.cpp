#include "drivers/image/uf2.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <vector>

namespace hilmark {
namespace {

constexpr std::size_t block_bytes = 512;
constexpr std::size_t data_at = 32;
constexpr std::size_t max_payload_bytes = 476;
constexpr std::size_t end_magic_at = 508;
constexpr std::uint32_t first_magic = 0x0a324655;
constexpr std::uint32_t second_magic = 0x9e5d5157;
constexpr std::uint32_t end_magic = 0x0ab16f30;
constexpr std::uint32_t flag_not_main_flash = 0x0001;
constexpr std::uint32_t flag_file_container = 0x1000;
constexpr std::uint32_t flag_family = 0x2000;
constexpr std::uint64_t max_image_bytes = 64U << 20;

struct Block {
  std::uint32_t flags = 0;
  std::uint32_t address = 0;
  std::uint32_t number = 0;
  std::uint32_t count = 0;
  std::optional<std::uint32_t> family;
  ByteView payload;
  std::size_t place = 0;  ///< in the file, from 0 on
};

/// The blocks of one family.
struct Group {
  std::optional<std::uint32_t> family;
  std::vector<Block> blocks;
};

std::string text_of(const std::optional<std::uint32_t>& family) {
  return family ? fmt::format("{:#010x}", *family) : "none";
}

Result<Block> parse_block(const std::string& path, ByteView bytes, std::size_t place) {
  if (u32_at(bytes, 0) != first_magic || u32_at(bytes, 4) != second_magic || u32_at(bytes, end_magic_at) != end_magic) {
    return fail(ErrorKind::usage, "{} is damaged: its block {} does not begin and end as a UF2 block does", path,
                place);
  }
  Block block;
  block.place = place;
  block.flags = u32_at(bytes, 8);
  block.address = u32_at(bytes, 12);
  const std::uint32_t size_bytes = u32_at(bytes, 16);
  block.number = u32_at(bytes, 20);
  block.count = u32_at(bytes, 24);
  if ((block.flags & flag_family) != 0) block.family = u32_at(bytes, 28);
  if ((block.flags & flag_file_container) != 0) {
    return fail(ErrorKind::usage, "{} is a UF2 container of files, not a firmware image (block {})", path, place);
  }
  if (block.count == 0 || block.number >= block.count) {
    return fail(ErrorKind::usage, "{} is damaged: its block {} says that it is number {} of {}", path, place,
                block.number, block.count);
  }
  if ((block.flags & flag_not_main_flash) != 0) return block;
  if (size_bytes == 0 || size_bytes > max_payload_bytes || size_bytes % 4 != 0) {
    return fail(ErrorKind::usage, "{} is damaged: its block {} has {} bytes of payload; expected 4 to {} in fours",
                path, place, size_bytes, max_payload_bytes);
  }
  if (block.address % 4 != 0 || std::uint64_t{block.address} + size_bytes > std::uint64_t{1} << 32) {
    return fail(ErrorKind::usage, "{} is damaged: its block {} is for the address {:#010x}, which cannot be", path,
                place, block.address);
  }
  block.payload = bytes.subspan(data_at, size_bytes);
  return block;
}

/// All blocks of the file, each family's apart, in the order of their first ones.
Result<std::vector<Group>> groups_of(const std::string& path, ByteView content) {
  if (content.empty() || content.size() % block_bytes != 0) {
    return fail(ErrorKind::usage, "{} is cut short: it has {} bytes, UF2 files have whole blocks of {}", path,
                content.size(), block_bytes);
  }
  std::vector<Group> groups;
  for (std::size_t place = 0; place * block_bytes < content.size(); ++place) {
    const auto block = parse_block(path, content.subspan(place * block_bytes, block_bytes), place);
    if (!block) return fail(block.error());
    auto group =
        std::find_if(groups.begin(), groups.end(), [&](const Group& one) { return one.family == block->family; });
    if (group == groups.end()) {
      constexpr std::size_t max_families = 16;
      if (groups.size() == max_families) {
        return fail(ErrorKind::usage, "{} is damaged: it has blocks of more than {} families", path, max_families);
      }
      group = groups.insert(groups.end(), Group{block->family, {}});
    }
    group->blocks.push_back(*block);
  }
  return groups;
}

/// Each family's blocks are numbered for themselves, from 0 to their common count.
Result<void> check_numbers(const std::string& path, const Group& group) {
  const std::uint32_t count = group.blocks.front().count;
  if (count != group.blocks.size()) {
    return fail(ErrorKind::usage, "{} is {}: it has {} blocks of family {}, which say that they are {}", path,
                group.blocks.size() < count ? "cut short" : "damaged", group.blocks.size(), text_of(group.family),
                count);
  }
  std::vector<bool> seen(count);
  for (const Block& block : group.blocks) {
    if (block.count != count) {
      return fail(ErrorKind::usage, "{} is damaged: its block {} counts {} blocks, those before it {}", path,
                  block.place, block.count, count);
    }
    if (seen[block.number]) {
      return fail(ErrorKind::usage, "{} is damaged: block number {} is there twice (block {})", path, block.number,
                  block.place);
    }
    seen[block.number] = true;
  }
  return {};
}

Result<Uf2Image> join(const std::string& path, std::vector<Block> blocks) {
  std::stable_sort(blocks.begin(), blocks.end(),
                   [](const Block& one, const Block& other) { return one.address < other.address; });
  Uf2Image image;
  image.address = blocks.front().address;
  for (const Block& block : blocks) {
    const std::uint64_t end = std::uint64_t{image.address} + image.content.size();
    if (block.address < end) {
      return fail(ErrorKind::usage, "{} is damaged: its block {} overlaps another at {:#010x}", path, block.place,
                  block.address);
    }
    if (block.address - end > uf2_max_gap_bytes) {
      return fail(ErrorKind::usage,
                  "{} has {} bytes between {:#010x} and its block {}; only images in one piece are taken", path,
                  block.address - end, end, block.place);
    }
    if (block.address + block.payload.size() - image.address > max_image_bytes) {
      return fail(ErrorKind::usage, "{} has more than {} bytes for one chip", path, max_image_bytes);
    }
    image.content.resize(block.address - image.address, 0xff);
    image.content.insert(image.content.end(), block.payload.begin(), block.payload.end());
  }
  return image;
}

Result<Uf2Image> image_of(const std::string& path, const Group& group) {
  if (const auto numbered = check_numbers(path, group); !numbered) return fail(numbered.error());
  std::vector<Block> blocks;
  std::copy_if(group.blocks.begin(), group.blocks.end(), std::back_inserter(blocks),
               [](const Block& block) { return (block.flags & flag_not_main_flash) == 0; });
  if (blocks.empty()) {
    return fail(ErrorKind::usage, "{} holds nothing for the main flash of family {}", path, text_of(group.family));
  }
  return join(path, std::move(blocks));
}

}  // namespace

bool is_uf2(ByteView content) {
  return content.size() >= 8 && u32_at(content, 0) == first_magic && u32_at(content, 4) == second_magic;
}

Result<Uf2Image> read_uf2_for(const std::string& path, ByteView content, std::uint32_t family) {
  const auto groups = groups_of(path, content);
  if (!groups) return fail(groups.error());
  std::string others;
  for (const Group& group : *groups) {
    if (group.family == family) return image_of(path, group);
    others += (others.empty() ? "" : ", ") + text_of(group.family);
  }
  return fail(ErrorKind::usage, "{} is for another chip: its UF2 family is {}, the chip's is {:#010x}", path, others,
              family);
}

}  // namespace hilmark
