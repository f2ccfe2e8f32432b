// UF2 files: blocks of 512 bytes that each name where their bytes belong.
// Source: the UF2 file format's specification (github.com/microsoft/uf2), sections "File format", "Flags", "Family id".
#pragma once

#include <cstdint>
#include <string>

#include "harness/base/bytes.h"
#include "harness/base/error.h"

namespace hilmark {

/// What a UF2 file holds for one family of chips.
struct Uf2Image {
  std::uint32_t address = 0;  ///< of the first byte
  Bytes content;              ///< what the file leaves out in between is 0xFF, as erased flash reads
};

inline constexpr std::uint32_t uf2_family_rp2040 = 0xe48bff56;
inline constexpr std::uint32_t uf2_family_rp2350_arm_s = 0xe48bff59;

/// What is left out between two blocks may be this long: a sector of the flash that such boards have.
inline constexpr std::uint32_t uf2_max_gap_bytes = 4096;

/// Whether a file's content begins as UF2 does.
[[nodiscard]] bool is_uf2(ByteView content);

/// The image for `family`: its blocks, whatever their order, joined. Blocks that are "not for the main flash" count,
/// and are left out. Other families' blocks must be whole UF2 blocks, and are not looked at any further: the block that
/// the RP2350's tools put in front of an image counts two and is alone. Errors (usage, naming `path` and the block):
/// cut short, a wrong magic, an impossible size or address, a container of files; a file for other families, which are
/// named; of the family's own blocks some missing, there twice, overlapping or far apart, or nothing for the flash.
[[nodiscard]] Result<Uf2Image> read_uf2_for(const std::string& path, ByteView content, std::uint32_t family);

}  // namespace hilmark
