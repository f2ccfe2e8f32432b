#include "drivers/dfu/dfu_runner.h"

namespace hilmark {
namespace {

/// `received` keeps what the event refers to.
DfuEvent event_of(DfuPort::Answer answer, bool receives, Bytes& received) {
  if (!answer) return DfuGone{answer.error()};
  if (std::holds_alternative<DfuPort::Stall>(*answer)) return DfuStalled{};
  if (!receives) return DfuSent{};
  received = std::get<Bytes>(std::move(*answer));
  return DfuReceived{received};
}

DfuEvent carry_out(const DfuAction& action, DfuPort& port, Bytes& received) {
  if (const auto* send = std::get_if<DfuSend>(&action)) {
    return event_of(port.send(send->request, send->value, send->data), false, received);
  }
  if (const auto* receive = std::get_if<DfuReceive>(&action)) {
    return event_of(port.receive(receive->request, receive->value, receive->size_bytes), true, received);
  }
  if (const auto* wait = std::get_if<DfuWait>(&action)) {
    const auto waited = port.wait(wait->time);
    return waited ? DfuEvent(DfuWaited{}) : DfuEvent(DfuGone{waited.error()});
  }
  const auto reset = port.reset_bus();
  return reset ? DfuEvent(DfuBusReset{}) : DfuEvent(DfuResetRefused{reset.error()});
}

}  // namespace

Result<void> check_block_size(const DfuPort& port, const DfuFunctional& functional) {
  if (functional.transfer_bytes > 0) return {};
  return fail(ErrorKind::unit, "{} describes itself wrongly: it announces blocks of no octets (wTransferSize 0)",
              port.device_text());
}

Result<void> run_dfu(DfuMachine& core, DfuPort& port, const FlashWork& work, const Deadline& deadline) {
  Bytes received;
  return run_flash_core<DfuFailed, DfuDone>(core, DfuEvent(DfuStart{}), port.device_text(), work, deadline,
                                            [&](const DfuAction& action) { return carry_out(action, port, received); });
}

}  // namespace hilmark
