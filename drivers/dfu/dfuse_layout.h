// A memory and its sectors, as DfuSe names them in the string of an alternate setting (ST UM0424, section 10.3.2).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "harness/base/error.h"

namespace hilmark {

struct DfuSeSector {
  std::uint32_t address = 0;
  std::uint32_t size_bytes = 0;
  bool readable = false;
  bool erasable = false;
  bool writable = false;
  friend bool operator==(const DfuSeSector&, const DfuSeSector&) = default;
};

struct DfuSeLayout {
  std::string name;                  ///< "Internal Flash"
  std::vector<DfuSeSector> sectors;  ///< by address, without overlaps; gaps may be between segments

  /// The sectors that hold any byte of the range; the error (usage) says which address lies in none.
  [[nodiscard]] Result<std::vector<DfuSeSector>> covering(std::uint32_t address, std::size_t size_bytes) const;
};

/// "@Internal Flash  /0x08000000/04*016Kg,01*064Kg,07*128Kg", with as many "/address/sectors" as there are. Bounded:
/// at most 65536 sectors. The error (usage) quotes the text and says where it went wrong.
[[nodiscard]] Result<DfuSeLayout> parse_dfuse_layout(std::string_view text);

}  // namespace hilmark
