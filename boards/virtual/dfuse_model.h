// The chip's bootloader: a DFU 1.1 interface with ST's DfuSe extension 1.1a (UM0424, AN3156) over the flash.
#pragma once

#include <chrono>
#include <functional>

#include "boards/virtual/flash_memory.h"
#include "boards/virtual/usb_device.h"

namespace virtual_lab {

// DFU 1.1, appendix A.1.
enum class DfuState : std::uint8_t {
  app_idle = 0,
  app_detach = 1,
  idle = 2,
  dnload_sync = 3,
  dn_busy = 4,
  dnload_idle = 5,
  manifest_sync = 6,
  manifest = 7,
  upload_idle = 9,
  error = 10,
};

// DFU 1.1, chapter 6.1.2.
enum class DfuStatus : std::uint8_t {
  ok = 0x00,
  err_target = 0x01,
  err_prog = 0x06,
  err_stalled_packet = 0x0f,
};

// DFU 1.1, chapter 3.
enum class DfuRequest : std::uint8_t {
  detach = 0,
  dnload = 1,
  upload = 2,
  get_status = 3,
  clr_status = 4,
  get_state = 5,
  abort = 6,
};

using MonotonicClock = std::function<std::chrono::steady_clock::time_point()>;

// The functional descriptor of DFU 1.1, chapter 4.1.3.
[[nodiscard]] Bytes dfu_functional_descriptor(std::uint8_t attributes, std::uint16_t dfu_version);

class DfuseModel : public UsbDevice {
 public:
  static constexpr std::uint16_t transfer_size = 2048;
  // Shorter than the real ones (about 1 s and 6 ms), yet a host that does not wait for them is caught.
  static constexpr std::chrono::milliseconds sector_erase_time{2};
  static constexpr std::chrono::milliseconds program_time{1};

  // `flash` outlives this.
  DfuseModel(FlashMemory& flash, const std::string& serial, MonotonicClock clock, UsbIds ids = {0x0483, 0xdf11});

  void bus_reset() override;

  [[nodiscard]] DfuState state() const { return state_; }
  [[nodiscard]] DfuStatus status() const { return status_; }

 protected:
  std::optional<std::size_t> class_request(const SetupPacket& setup, std::span<std::uint8_t> data) override;

 private:
  std::optional<std::size_t> download(const SetupPacket& setup, ByteView data);
  std::optional<std::size_t> upload(const SetupPacket& setup, std::span<std::uint8_t> data);
  std::size_t report_status(std::span<std::uint8_t> room);
  std::optional<std::size_t> stall();

  // Each starts the operation and returns how long it lasts.
  std::chrono::milliseconds start_operation();
  std::chrono::milliseconds run_command();
  std::chrono::milliseconds erase_command();
  std::chrono::milliseconds program_block();

  [[nodiscard]] std::optional<std::uint32_t> flash_offset(std::uint64_t address) const;
  [[nodiscard]] std::uint64_t block_address(std::uint16_t block) const;
  void note(FlashResult result);

  FlashMemory& flash_;
  MonotonicClock clock_;
  DfuState state_ = DfuState::idle;
  DfuStatus status_ = DfuStatus::ok;
  std::uint32_t pointer_;
  std::uint16_t block_ = 0;
  Bytes block_data_;
  std::chrono::steady_clock::time_point busy_until_;
  bool leaving_ = false;
};

}  // namespace virtual_lab
