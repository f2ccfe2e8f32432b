// For tests of the DFU cores.
#pragma once

#include <memory>

#include <gtest/gtest.h>

#include "drivers/dfu/dfu_machine.h"

namespace hilmark {

/// Drives a DFU core by hand, one step at a time.
class DfuDriver {
 public:
  explicit DfuDriver(std::unique_ptr<DfuMachine> core) : core_(std::move(core)) { action_ = core_->next(DfuStart{}); }

  void sent() { action_ = core_->next(DfuSent{}); }
  void waited() { action_ = core_->next(DfuWaited{}); }
  void bus_reset() { action_ = core_->next(DfuBusReset{}); }
  void reset_refused() { action_ = core_->next(DfuResetRefused{Error{ErrorKind::rig, "no way to reset it"}}); }
  void stalled() { action_ = core_->next(DfuStalled{}); }
  void gone() { action_ = core_->next(DfuGone{Error{ErrorKind::rig, "it left the bus"}}); }
  void received(const Bytes& data) { action_ = core_->next(DfuReceived{data}); }
  void status(DfuState state, int status = 0, int poll_ms = 0) {
    ASSERT_TRUE(asks_status()) << describe();
    received({static_cast<std::uint8_t>(status), static_cast<std::uint8_t>(poll_ms),
              static_cast<std::uint8_t>(poll_ms >> 8), static_cast<std::uint8_t>(poll_ms >> 16),
              static_cast<std::uint8_t>(state), 0});
  }

  [[nodiscard]] bool asks_status() const {
    const auto* receive = std::get_if<DfuReceive>(&action_);
    return receive != nullptr && receive->request == DfuRequest::get_status && receive->size_bytes == 6;
  }
  [[nodiscard]] bool sends(DfuRequest request, int value, const Bytes& data) const {
    const auto* send = std::get_if<DfuSend>(&action_);
    return send != nullptr && send->request == request && send->value == value && send->data == data;
  }
  [[nodiscard]] bool reads(int value, int size) const {
    const auto* receive = std::get_if<DfuReceive>(&action_);
    return receive != nullptr && receive->request == DfuRequest::upload && receive->value == value &&
           receive->size_bytes == size;
  }
  [[nodiscard]] bool waits(int time_ms) const {
    const auto* wait = std::get_if<DfuWait>(&action_);
    return wait != nullptr && wait->time == Milliseconds(time_ms);
  }
  [[nodiscard]] bool resets_bus() const { return std::holds_alternative<DfuResetBus>(action_); }
  [[nodiscard]] bool done() const { return std::holds_alternative<DfuDone>(action_); }
  [[nodiscard]] Error failure() const {
    const auto* failed = std::get_if<DfuFailed>(&action_);
    return failed != nullptr ? failed->error : Error{ErrorKind::rig, "no failure: " + describe()};
  }
  [[nodiscard]] std::string describe() const { return fmt::format("action number {}", action_.index()); }
  [[nodiscard]] const Bytes& read_bytes() const { return core_->read_bytes(); }

 private:
  std::unique_ptr<DfuMachine> core_;
  DfuAction action_;
};

}  // namespace hilmark
