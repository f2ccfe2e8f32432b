// The boot ROM of the RP2040 and RP2350 in BOOTSEL mode: a PICOBOOT interface over the flash. The mass-storage
// interface beside it is described, and refuses all. Sources: RP2040 datasheet, "USB PICOBOOT Interface" (in 2.8);
// RP2350 datasheet, the chapter of that name.
#pragma once

#include <chrono>
#include <string>

#include "boards/virtual/dfu_bootloader.h"
#include "boards/virtual/flash_memory.h"
#include "boards/virtual/usb_device.h"

namespace virtual_lab {

enum class PicobootStatus : std::uint32_t {
  ok = 0,
  unknown_command = 1,
  invalid_command_length = 2,
  invalid_transfer_length = 3,
  invalid_address = 4,
  bad_alignment = 5,
  rebooting = 7,
  unknown_error = 8,
  invalid_argument = 11,  // RP2350 alone
};

// Operations take no time (but by a fault): they are done once their last byte is there.
class PicobootModel : public UsbDevice {
 public:
  enum class Chip { rp2040, rp2350 };
  static constexpr std::uint8_t storage_in = 0x81;
  static constexpr std::uint8_t storage_out = 0x02;
  static constexpr std::uint8_t command_out = 0x03;
  static constexpr std::uint8_t command_in = 0x84;
  static constexpr std::uint8_t interface_number = 1;
  static constexpr std::uint32_t sector_bytes = 4096;
  static constexpr std::uint32_t page_bytes = 256;

  // `flash` outlives this; its sectors are of sector_bytes.
  PicobootModel(FlashMemory& flash, const std::string& serial, Chip chip, UsbIds ids, Faults faults = {},
                MonotonicClock clock = &std::chrono::steady_clock::now);

  [[nodiscard]] BulkStep bulk_out(std::uint8_t endpoint, ByteView data) override;
  [[nodiscard]] BulkStep bulk_in(std::uint8_t endpoint, std::span<std::uint8_t> into) override;
  void bus_reset() override { reset(); }

  [[nodiscard]] bool halted() const { return halted_; }
  [[nodiscard]] bool exclusive() const { return exclusive_; }

 protected:
  std::optional<std::size_t> class_request(const SetupPacket& setup, std::span<std::uint8_t> data) override;

 private:
  // What the next packet is.
  enum class Stage { command, data_out, data_in, ack_in, ack_out };
  struct Command {
    std::uint32_t token = 0;
    std::uint8_t id = 0;
    std::uint8_t argument_bytes = 0;
    std::uint32_t transfer_bytes = 0;
    Bytes arguments;
  };

  void reset();
  void begin(ByteView packet);
  [[nodiscard]] PicobootStatus check(const Command& command) const;
  [[nodiscard]] PicobootStatus run(const Command& command);
  [[nodiscard]] PicobootStatus reboot(const Command& command);
  [[nodiscard]] PicobootStatus erase(std::uint32_t address, std::uint32_t size);
  // Whether the range that is about to be moved may be.
  [[nodiscard]] PicobootStatus check_flash(std::uint32_t address, std::uint32_t size, std::uint32_t alignment) const;
  std::size_t take(ByteView data);
  [[nodiscard]] BulkStep give_data(std::span<std::uint8_t> into);
  void program_page();
  void acknowledge();
  // Whether an operation is still under way; then it is said when to ask again.
  [[nodiscard]] bool busy();
  BulkStep refuse(PicobootStatus status);

  FlashMemory& flash_;
  const Chip chip_;
  Faults faults_;
  MonotonicClock clock_;
  std::chrono::steady_clock::time_point busy_until_;
  unsigned commands_ = 0;  // since it came onto the bus
  Stage stage_ = Stage::command;
  Command command_;
  PicobootStatus status_ = PicobootStatus::ok;
  bool in_progress_ = false;
  bool halted_ = false;
  bool exclusive_ = false;
  bool mapped_ = false;  // execute-in-place: no commands reach the flash
  bool rebooting_ = false;
  std::uint32_t address_ = 0;
  std::uint32_t left_ = 0;  // of the data
  Bytes page_;
};

}  // namespace virtual_lab
