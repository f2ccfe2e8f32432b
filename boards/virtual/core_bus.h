// What the firmware asks of its chip over descriptor 4 (boards/wire.md, "Native core"). No I/O.
#pragma once

#include <optional>

#include "boards/virtual/flash_memory.h"

namespace virtual_lab {

struct BusAnswer {
  enum class Then { go_on, reset, enter_bootloader };

  std::optional<Bytes> reply;  // none: the core is stopped
  Then then = Then::go_on;
};

class CoreBus {
 public:
  static constexpr std::size_t max_data = 4096;
  static constexpr std::size_t request_header = 12;
  static constexpr std::size_t max_request = request_header + max_data;

  // The firmware owns the sectors from `owned_from` on, an offset from the flash's base. `flash` outlives this.
  CoreBus(FlashMemory& flash, std::uint32_t owned_from) : flash_(flash), owned_from_(owned_from) {}

  [[nodiscard]] BusAnswer answer(ByteView request);

 private:
  [[nodiscard]] Bytes read(std::uint32_t address, std::uint32_t length) const;
  [[nodiscard]] int erase(std::uint32_t address);
  [[nodiscard]] int program(std::uint32_t address, ByteView data);

  FlashMemory& flash_;
  std::uint32_t owned_from_;
};

}  // namespace virtual_lab
