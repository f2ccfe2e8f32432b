// Makes UF2 files, good and bad, for tests.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "harness/base/bytes.h"

namespace hilmark {

/// The fields of one block, in their order in the file.
struct Uf2TestBlock {
  std::uint32_t flags = 0x2000;
  std::uint32_t address = 0x10000000;
  std::uint32_t payload_bytes = 256;
  std::uint32_t number = 0;
  std::uint32_t count = 1;
  std::uint32_t family = 0xe48bff56;
  Bytes payload = Bytes(256, 0x5a);
  std::uint32_t end_magic = 0x0ab16f30;
};

inline void append_uf2_block(Bytes& file, const Uf2TestBlock& block) {
  const std::size_t begin = file.size();
  for (const std::uint32_t word : {0x0a324655U, 0x9e5d5157U, block.flags, block.address, block.payload_bytes,
                                   block.number, block.count, block.family}) {
    append_u32(file, word);
  }
  file.insert(file.end(), block.payload.begin(), block.payload.end());
  file.resize(begin + 508);
  append_u32(file, block.end_magic);
}

/// `content` in blocks of 256 bytes, the last one filled with zeros, as the chip maker's tools write it.
inline Bytes uf2_file_of(ByteView content, std::uint32_t address, std::uint32_t family) {
  Bytes file;
  const std::size_t count = (content.size() + 255) / 256;
  for (std::size_t number = 0; number < count; ++number) {
    const ByteView part = content.subspan(number * 256, std::min<std::size_t>(256, content.size() - number * 256));
    Uf2TestBlock block;
    block.address = static_cast<std::uint32_t>(address + number * 256);
    block.number = static_cast<std::uint32_t>(number);
    block.count = static_cast<std::uint32_t>(count);
    block.family = family;
    block.payload.assign(part.begin(), part.end());
    block.payload.resize(256);
    append_uf2_block(file, block);
  }
  return file;
}

}  // namespace hilmark
