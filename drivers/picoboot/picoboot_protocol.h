// What is said on a PICOBOOT interface: commands of 32 bytes, and the status of the last one.
// Sources: RP2040 datasheet, "USB PICOBOOT Interface" (2.8); RP2350 datasheet, chapter of that name (5; with REBOOT2
// and more status codes).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "drivers/usb/usb_id.h"
#include "harness/base/bytes.h"

namespace hilmark {

enum class PicobootChip { rp2040, rp2350 };
/// By the ids of its ROM's bootloader: 2e8a:0003 or 2e8a:000f.
[[nodiscard]] std::optional<PicobootChip> picoboot_chip_of(const UsbId& bootloader);

/// Bit 7: what follows the command comes from the device.
enum class PicobootCommandId : std::uint8_t {
  exclusive_access = 0x01,
  reboot = 0x02,  ///< RP2040 alone
  flash_erase = 0x03,
  write = 0x05,
  exit_xip = 0x06,
  reboot2 = 0x0a,  ///< RP2350 alone
  read = 0x84,
};

struct PicobootCommand {
  PicobootCommandId id = PicobootCommandId::exclusive_access;
  std::uint32_t token = 0;           ///< comes back in the status
  std::uint32_t transfer_bytes = 0;  ///< of data after the command
  Bytes arguments;                   ///< at most 16
};
/// The 32 bytes that are sent.
[[nodiscard]] Bytes to_bytes(const PicobootCommand& command);

struct PicobootStatus {
  std::uint32_t token = 0;
  std::uint32_t code = 0;  ///< 0: done
  std::uint8_t command = 0;
  bool in_progress = false;
};
inline constexpr std::uint16_t picoboot_status_bytes = 16;
/// Nothing if it is not that long.
[[nodiscard]] std::optional<PicobootStatus> parse_picoboot_status(ByteView bytes);
/// The datasheet's name of a status code, in words: "bad alignment".
[[nodiscard]] std::string_view picoboot_status_name(std::uint32_t code);

/// Control requests to the interface; vendor type, as the boot ROM takes them (the datasheet's tables say class).
inline constexpr std::uint8_t picoboot_interface_reset = 0x41;
inline constexpr std::uint8_t picoboot_get_command_status = 0x42;

inline constexpr std::uint32_t picoboot_sector_bytes = 4096;  ///< erased as a whole
inline constexpr std::uint32_t picoboot_page_bytes = 256;     ///< written as a whole

}  // namespace hilmark
