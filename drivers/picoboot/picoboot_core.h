// PICOBOOT without I/O: told what came of the last step, it says what the next one is.
// Source: RP2040 datasheet, "USB PICOBOOT Interface" (in 2.8).
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "drivers/picoboot/picoboot_protocol.h"
#include "harness/base/bytes.h"
#include "harness/base/error.h"

namespace hilmark {

/// One thing to have done.
struct PicobootOperation {
  enum class Kind {
    reset,             ///< the interface, whatever an earlier host left behind
    exclusive_access,  ///< nobody writes through the mass-storage interface meanwhile
    exit_xip,          ///< the flash takes commands, instead of being mapped into memory
    erase,             ///< `size_bytes` from `address` on, whole sectors
    write,             ///< `data` to `address`, whole pages
    read,              ///< `size_bytes` from `address` on
    reboot,            ///< into what the flash holds: the board leaves the bus
  } kind = Kind::reset;
  std::uint32_t address = 0;
  std::uint32_t size_bytes = 0;
  ByteView data = {};  ///< must outlive the core
};

/// What to do next.
struct PicobootSend {
  Bytes data;  ///< to the bulk OUT endpoint; none: one empty packet
};
struct PicobootReceive {
  std::size_t size_bytes = 0;  ///< at most, from the bulk IN endpoint
};
struct PicobootAskStatus {};       ///< GET_COMMAND_STATUS
struct PicobootResetInterface {};  ///< INTERFACE_RESET, and the halts of both endpoints cleared at the host
struct PicobootDone {};
struct PicobootFailed {
  Error error;
};
using PicobootAction = std::variant<PicobootSend, PicobootReceive, PicobootAskStatus, PicobootResetInterface,
                                    PicobootDone, PicobootFailed>;

/// What came of it.
struct PicobootStart {};
struct PicobootSent {};  ///< also of a reset
struct PicobootReceived {
  ByteView data;
};
struct PicobootStalled {};
/// The link broke: the board has left the bus, or answers no more.
struct PicobootGone {
  Error error;
};
using PicobootEvent = std::variant<PicobootStart, PicobootSent, PicobootReceived, PicobootStalled, PicobootGone>;

class PicobootCore {
 public:
  PicobootCore(PicobootChip chip, std::vector<PicobootOperation> operations)
      : chip_(chip), operations_(std::move(operations)) {}

  /// PicobootStart first, then one event for each action until PicobootDone or PicobootFailed (unit: the board refused
  /// or talks nonsense; rig: it left; else as the event's error). After a refusal the interface has been reset.
  [[nodiscard]] PicobootAction next(const PicobootEvent& event);

  [[nodiscard]] std::size_t operations() const { return operations_.size(); }
  [[nodiscard]] std::size_t operations_done() const { return at_; }
  [[nodiscard]] const Bytes& read_bytes() const { return read_; }

 private:
  /// What the last action was for.
  enum class Step { reset, command, data_out, data_in, ack_in, ack_out, status, recovery };
  [[nodiscard]] const PicobootOperation& operation() const { return operations_[at_]; }
  PicobootAction begin();
  PicobootAction finish();
  PicobootAction on_sent();
  PicobootAction on_received(ByteView data);
  PicobootAction on_stalled();
  PicobootAction on_gone(const Error& error);
  PicobootAction await_acknowledgement();
  PicobootAction recover(std::string reason);
  [[nodiscard]] PicobootCommand command() const;
  [[nodiscard]] std::string reason_in(ByteView status) const;
  [[nodiscard]] PicobootFailed refusal() const;
  [[nodiscard]] std::string doing() const;

  PicobootChip chip_;
  std::vector<PicobootOperation> operations_;
  std::size_t at_ = 0;
  Step step_ = Step::reset;
  std::uint32_t token_ = 0;
  std::string reason_;  // of a refusal
  Bytes read_;
};

/// The operations that put `content`, whole pages, at `address`, having erased the sectors that it touches.
[[nodiscard]] std::vector<PicobootOperation> picoboot_download(std::uint32_t address, ByteView content);
/// The operations that read it.
[[nodiscard]] std::vector<PicobootOperation> picoboot_upload(std::uint32_t address, std::size_t size_bytes);
[[nodiscard]] std::vector<PicobootOperation> picoboot_reboot();

}  // namespace hilmark
