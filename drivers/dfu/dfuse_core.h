// DfuSe without I/O: told what came of the last request, it says what the next one is.
// Sources: DFU 1.1 appendix A (states); ST AN3156 (the USB DFU protocol of the STM32 bootloader).
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "drivers/dfu/dfu_protocol.h"
#include "harness/base/bytes.h"
#include "harness/base/clock.h"
#include "harness/base/error.h"

namespace hilmark {

/// One thing to have done. Each ends with the board in a state from which the next may begin.
struct DfuSeOperation {
  enum class Kind {
    to_idle,      ///< out of whatever state, dfuERROR included, into dfuIDLE
    erase,        ///< the sector at `address`
    set_address,  ///< the pointer that blocks count from
    write,        ///< `data` as block `block` (0, 1, 2 … from the pointer on)
    read,         ///< `size_bytes` of block `block`
    leave,        ///< start what is at `address`: the board leaves the bus
  } kind = Kind::to_idle;
  std::uint32_t address = 0;
  std::uint16_t block = 0;
  ByteView data;  ///< must outlive the core
  std::uint16_t size_bytes = 0;
};

/// What to do next.
struct DfuSend {
  DfuRequest request;
  std::uint16_t value = 0;
  Bytes data;
};
struct DfuReceive {
  DfuRequest request;
  std::uint16_t value = 0;
  std::uint16_t size_bytes = 0;
};
struct DfuWait {
  Milliseconds time;  ///< exactly: the board's bwPollTimeout
};
struct DfuDone {};
struct DfuFailed {
  Error error;
};
using DfuAction = std::variant<DfuSend, DfuReceive, DfuWait, DfuDone, DfuFailed>;

/// What came of it.
struct DfuStart {};
struct DfuSent {};
struct DfuReceived {
  ByteView data;
};
struct DfuWaited {};
struct DfuStalled {};
/// The link broke: the board has left the bus, or answers no more.
struct DfuGone {
  Error error;
};
using DfuEvent = std::variant<DfuStart, DfuSent, DfuReceived, DfuWaited, DfuStalled, DfuGone>;

class DfuSeCore {
 public:
  explicit DfuSeCore(std::vector<DfuSeOperation> operations) : operations_(std::move(operations)) {}

  /// DfuStart first, then one event for each action until DfuDone or DfuFailed (unit: the board refused or talks
  /// nonsense; rig: it left).
  [[nodiscard]] DfuAction next(const DfuEvent& event);

  [[nodiscard]] std::size_t operations_done() const { return at_; }
  [[nodiscard]] const Bytes& read_bytes() const { return read_; }

  /// A board that wants more time than this for one operation is refused.
  static constexpr Milliseconds max_busy{60'000};

 private:
  enum class Step { command_sent, status_asked, data_asked };
  [[nodiscard]] const DfuSeOperation& operation() const { return operations_[at_]; }
  DfuAction begin();
  DfuAction finish();
  DfuAction ask_status();
  DfuAction on_received(ByteView data);
  DfuAction on_status(const DfuStatus& status);
  DfuAction act_on(const DfuStatus& status);
  DfuAction towards_idle(const DfuStatus& status);
  DfuAction refuse(std::string_view what) const;
  [[nodiscard]] std::string doing() const;

  std::vector<DfuSeOperation> operations_;
  std::size_t at_ = 0;
  Step step_ = Step::command_sent;
  bool stalled_ = false;
  DfuStatus status_;
  Milliseconds busy_{0};
  int attempts_ = 0;
  Bytes read_;
};

/// The operations that put `content` at `address`, having erased `erase` (sector addresses).
[[nodiscard]] std::vector<DfuSeOperation> dfuse_download(const std::vector<std::uint32_t>& erase, std::uint32_t address,
                                                         ByteView content, std::uint16_t transfer_bytes);
/// The operations that read it.
[[nodiscard]] std::vector<DfuSeOperation> dfuse_upload(std::uint32_t address, std::size_t size_bytes,
                                                       std::uint16_t transfer_bytes);
[[nodiscard]] std::vector<DfuSeOperation> dfuse_leave(std::uint32_t address);

/// What one pointer can reach: wBlockNum has 16 bits, and data counts from 2.
[[nodiscard]] constexpr std::size_t dfuse_reach_bytes(std::uint16_t transfer_bytes) {
  return std::size_t{transfer_bytes} * 0xfffd;
}

}  // namespace hilmark
