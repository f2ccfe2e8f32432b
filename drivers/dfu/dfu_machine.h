// What DFU 1.1 and DfuSe have in common, without I/O: told what came of the last request, it says what the next one is.
// Sources: DFU 1.1 section 6.1 (requests) and appendix A (states).
#pragma once

#include <cstdint>
#include <string>
#include <variant>

#include "drivers/dfu/dfu_protocol.h"
#include "harness/base/bytes.h"
#include "harness/base/clock.h"
#include "harness/base/error.h"

namespace hilmark {

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
struct DfuResetBus {};
struct DfuDone {};
struct DfuFailed {
  Error error;
};
using DfuAction = std::variant<DfuSend, DfuReceive, DfuWait, DfuResetBus, DfuDone, DfuFailed>;

/// What came of it.
struct DfuStart {};
struct DfuSent {};
struct DfuReceived {
  ByteView data;
};
struct DfuWaited {};
struct DfuBusReset {};
/// The board is still there, and was not reset.
struct DfuResetRefused {
  Error error;
};
struct DfuStalled {};
/// The link broke: the board has left the bus, or answers no more.
struct DfuGone {
  Error error;
};
using DfuEvent =
    std::variant<DfuStart, DfuSent, DfuReceived, DfuWaited, DfuBusReset, DfuResetRefused, DfuStalled, DfuGone>;

/// Works off a list of operations, which those who derive from it know. Each ends with the board in a state from which
/// the next may begin.
class DfuMachine {
 public:
  virtual ~DfuMachine() = default;

  /// DfuStart first, then one event for each action until DfuDone or DfuFailed (unit: the board refused or talks
  /// nonsense; rig: it left).
  [[nodiscard]] DfuAction next(const DfuEvent& event);

  [[nodiscard]] std::size_t operations() const { return count_; }
  [[nodiscard]] std::size_t operations_done() const { return at_; }
  [[nodiscard]] const Bytes& read_bytes() const { return read_; }
  /// What the board said last.
  [[nodiscard]] const DfuStatus& status() const { return status_; }

  /// A board that wants more time than this for one operation is refused.
  static constexpr Milliseconds max_busy{60'000};

 protected:
  /// `manifestation_tolerant`: whether the board can be spoken with after dfuMANIFEST (bitManifestationTolerant).
  DfuMachine(std::size_t count, bool manifestation_tolerant) : count_(count), tolerant_(manifestation_tolerant) {}
  DfuMachine(const DfuMachine&) = default;
  DfuMachine& operator=(const DfuMachine&) = default;

  /// The present operation's first request: a DfuSend, a DfuReceive of an upload, or a DfuResetBus.
  [[nodiscard]] virtual DfuAction request() = 0;
  /// What a status means that came after it, its poll time over.
  [[nodiscard]] virtual DfuAction judge(const DfuStatus& status) = 0;
  /// What an upload brought.
  [[nodiscard]] virtual DfuAction take(ByteView data) = 0;
  /// Whether the operation is only to reach dfuIDLE, from whatever state, dfuERROR included.
  [[nodiscard]] virtual bool goes_to_idle() const = 0;
  /// Whether it may end by the board's leaving the bus.
  [[nodiscard]] virtual bool may_leave() const = 0;
  /// The operation in words: "erasing the sector at 0x08000000".
  [[nodiscard]] virtual std::string doing() const = 0;

  [[nodiscard]] std::size_t at() const { return at_; }
  [[nodiscard]] bool manifestation_tolerant() const { return tolerant_; }
  /// The present operation is done, and the `skipped` ones after it need not be.
  [[nodiscard]] DfuAction finish(std::size_t skipped = 0);
  [[nodiscard]] DfuAction ask_status();
  /// Nothing said: the bootloader refused. State and status are added.
  [[nodiscard]] DfuAction refuse(std::string_view what = "the bootloader refused") const;
  void keep(ByteView data) { read_.insert(read_.end(), data.begin(), data.end()); }

 private:
  enum class Step { command_sent, status_asked, data_asked };
  DfuAction begin();
  DfuAction on_received(ByteView data);
  DfuAction on_status(const DfuStatus& status);
  DfuAction act_on(const DfuStatus& status);
  DfuAction towards_idle(const DfuStatus& status);
  DfuAction after_reset();

  std::size_t count_;
  bool tolerant_;
  std::size_t at_ = 0;
  Step step_ = Step::command_sent;
  bool stalled_ = false;
  bool only_resets_ = false;  ///< the reset ends an earlier download, and nothing of ours can follow
  DfuStatus status_;
  Milliseconds busy_{0};
  int polls_ = 0;
  int recoveries_ = 0;
  Bytes read_;
};

}  // namespace hilmark
