// The chip's bootloader: a DFU 1.1 interface with ST's DfuSe extension 1.1a (UM0424, AN3156) over the flash.
#pragma once

#include <chrono>
#include <functional>

#include "boards/virtual/flash_memory.h"
#include "boards/virtual/usb_device.h"

namespace virtual_lab {

// DFU 1.1, appendix A.1.
enum class DfuState : std::uint8_t {
  kAppIdle = 0,
  kAppDetach = 1,
  kIdle = 2,
  kDnloadSync = 3,
  kDnBusy = 4,
  kDnloadIdle = 5,
  kManifestSync = 6,
  kManifest = 7,
  kUploadIdle = 9,
  kError = 10,
};

// DFU 1.1, chapter 6.1.2.
enum class DfuStatus : std::uint8_t {
  kOk = 0x00,
  kErrTarget = 0x01,
  kErrProg = 0x06,
  kErrStalledPacket = 0x0f,
};

// DFU 1.1, chapter 3.
enum class DfuRequest : std::uint8_t {
  kDetach = 0,
  kDnload = 1,
  kUpload = 2,
  kGetStatus = 3,
  kClrStatus = 4,
  kGetState = 5,
  kAbort = 6,
};

using MonotonicClock = std::function<std::chrono::steady_clock::time_point()>;

// The functional descriptor of DFU 1.1, chapter 4.1.3.
[[nodiscard]] Bytes dfu_functional_descriptor(std::uint8_t attributes, std::uint16_t dfu_version);

class DfuseModel : public UsbDevice {
 public:
  static constexpr std::uint16_t kTransferSize = 2048;
  // Shorter than the real ones (about 1 s and 6 ms), yet a host that does not wait for them is caught.
  static constexpr std::chrono::milliseconds kSectorEraseTime{2};
  static constexpr std::chrono::milliseconds kProgramTime{1};

  // `flash` outlives this.
  DfuseModel(FlashMemory& flash, const std::string& serial, MonotonicClock clock);

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
  DfuState state_ = DfuState::kIdle;
  DfuStatus status_ = DfuStatus::kOk;
  std::uint32_t pointer_;
  std::uint16_t block_ = 0;
  Bytes block_data_;
  std::chrono::steady_clock::time_point busy_until_;
  bool leaving_ = false;
};

}  // namespace virtual_lab
