// What the firmware asks of its chip over descriptor 4 (boards/wire.md, "Native core"). No I/O.
#pragma once

#include <chrono>
#include <optional>

#include "boards/virtual/flash_memory.h"

namespace virtual_lab {

struct BusAnswer {
  enum class Then { go_on, reset, enter_bootloader };

  std::optional<Bytes> reply;  // none: the core is stopped, or finish() gives it
  Then then = Then::go_on;
  // That the chip is busy before finish() is due; until then half of a programming is not in the flash.
  std::chrono::milliseconds busy{0};
};

class CoreBus {
 public:
  static constexpr std::size_t max_data = 4096;
  static constexpr std::size_t request_header = 12;
  static constexpr std::size_t max_request = request_header + max_data;

  static constexpr std::chrono::milliseconds erase_time{20};
  static constexpr std::chrono::milliseconds program_time{1};  // for each KiB begun

  // The firmware owns the sectors from `owned_from` on, an offset from the flash's base. `flash` outlives this.
  CoreBus(FlashMemory& flash, std::uint32_t owned_from) : flash_(flash), owned_from_(owned_from) {}

  [[nodiscard]] BusAnswer answer(ByteView request);
  // The end of what kept the chip busy: the reply.
  [[nodiscard]] Bytes finish();

 private:
  struct Unfinished {
    std::uint32_t address = 0;
    Bytes data;
    int status = 0;
  };

  [[nodiscard]] Bytes read(std::uint32_t address, std::uint32_t length) const;
  [[nodiscard]] int erase(std::uint32_t address);
  [[nodiscard]] BusAnswer begin_erase(std::uint32_t address);
  [[nodiscard]] BusAnswer begin_program(std::uint32_t address, ByteView data);
  [[nodiscard]] int program(std::uint32_t address, ByteView data);

  FlashMemory& flash_;
  std::uint32_t owned_from_;
  Unfinished unfinished_;
};

}  // namespace virtual_lab
