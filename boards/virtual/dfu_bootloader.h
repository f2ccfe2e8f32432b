// What the chips' DFU bootloaders have in common, plain DFU 1.1 and DfuSe: states, status, poll times, and the faults
// that a lab may ask for. Chapter numbers: DFU 1.1.
#pragma once

#include <chrono>
#include <functional>

#include "boards/virtual/faults.h"
#include "boards/virtual/flash_memory.h"
#include "boards/virtual/usb_device.h"

namespace virtual_lab {

// Appendix A.1.
enum class DfuState : std::uint8_t {
  app_idle = 0,
  app_detach = 1,
  idle = 2,
  dnload_sync = 3,
  dn_busy = 4,
  dnload_idle = 5,
  manifest_sync = 6,
  manifest = 7,
  manifest_wait_reset = 8,
  upload_idle = 9,
  error = 10,
};

// Chapter 6.1.2; the others only come from Faults.
enum class DfuStatus : std::uint8_t {
  ok = 0x00,
  err_target = 0x01,
  err_prog = 0x06,
  err_address = 0x08,
  err_stalled_packet = 0x0f,
};

// Chapter 3.
enum class DfuRequest : std::uint8_t {
  detach = 0,
  dnload = 1,
  upload = 2,
  get_status = 3,
  clr_status = 4,
  get_state = 5,
  abort = 6,
};

// bmAttributes of the functional descriptor, chapter 4.1.3.
inline constexpr std::uint8_t dfu_can_download = 1;
inline constexpr std::uint8_t dfu_can_upload = 2;
inline constexpr std::uint8_t dfu_manifestation_tolerant = 4;
inline constexpr std::uint8_t dfu_will_detach = 8;
inline constexpr std::chrono::milliseconds dfu_detach_timeout{255};
[[nodiscard]] Bytes dfu_functional_descriptor(std::uint8_t attributes, std::uint16_t dfu_version);

using MonotonicClock = std::function<std::chrono::steady_clock::time_point()>;

class DfuBootloader : public UsbDevice {
 public:
  static constexpr std::uint16_t transfer_size = 2048;
  // Shorter than the real ones (about 1 s and 6 ms), yet a host that does not wait for them is caught.
  static constexpr std::chrono::milliseconds sector_erase_time{2};
  static constexpr std::chrono::milliseconds program_time{1};

  [[nodiscard]] DfuState state() const { return state_; }
  [[nodiscard]] DfuStatus status() const { return status_; }

 protected:
  // `flash` outlives this.
  DfuBootloader(UsbDescriptors descriptors, FlashMemory& flash, MonotonicClock clock, Faults faults);

  std::optional<std::size_t> class_request(const SetupPacket& setup, std::span<std::uint8_t> data) final;

  // The requests of a host that may make one now. Each sets the state that follows.
  virtual std::optional<std::size_t> download(const SetupPacket& setup, ByteView data) = 0;
  virtual std::optional<std::size_t> upload(const SetupPacket& setup, std::span<std::uint8_t> data) = 0;
  // Does what was downloaded last, with its status, and returns how long that lasts.
  virtual std::chrono::milliseconds start_operation() = 0;
  // A GETSTATUS in dfuMANIFEST-SYNC, dfuMANIFEST or dfuMANIFEST-WAIT-RESET: the poll time to answer.
  virtual std::chrono::milliseconds manifest() = 0;
  // Whether a request before the poll time's end is a fault of the host's (appendix A.2.5), or a GETSTATUS answered.
  [[nodiscard]] virtual bool insists_on_poll_time() const = 0;

  // Into dfuERROR; the answer is a stall.
  std::optional<std::size_t> stall(DfuStatus status = DfuStatus::err_stalled_packet);
  void enter(DfuState state) { state_ = state; }
  void fail_with(DfuStatus status) { status_ = status; }
  void clear();
  // After this it answers its status, and nothing else.
  void leave(DeviceEvent::Kind event);
  [[nodiscard]] bool leaving() const { return leaving_; }

  void accept(std::uint16_t block, ByteView data);  // for start_operation
  [[nodiscard]] std::uint16_t block() const { return block_; }
  [[nodiscard]] const Bytes& block_data() const { return block_data_; }

  void note(FlashResult result);
  // Reads as the faults have it.
  [[nodiscard]] std::optional<std::size_t> read_block(std::uint32_t offset, std::uint16_t block,
                                                      std::span<std::uint8_t> into);
  [[nodiscard]] FlashMemory& flash() { return flash_; }
  [[nodiscard]] const FlashLayout& layout() const { return flash_.layout(); }
  [[nodiscard]] std::chrono::steady_clock::time_point now() const { return clock_(); }

 private:
  std::size_t report_status(std::span<std::uint8_t> room);
  // The poll time to answer.
  std::chrono::milliseconds poll();
  std::chrono::milliseconds begin_operation();

  FlashMemory& flash_;
  MonotonicClock clock_;
  Faults faults_;
  DfuState state_ = DfuState::idle;
  DfuStatus status_ = DfuStatus::ok;
  std::uint16_t block_ = 0;
  Bytes block_data_;
  std::chrono::steady_clock::time_point busy_until_;
  std::chrono::steady_clock::time_point quiet_until_;  // the poll time that was answered last
  bool leaving_ = false;
};

}  // namespace virtual_lab
