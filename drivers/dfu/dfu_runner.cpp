#include "drivers/dfu/dfu_runner.h"

#include <algorithm>

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

Result<void> run_dfu(DfuMachine& core, DfuPort& port, const DfuWork& work, const Deadline& deadline) {
  Bytes received;
  DfuEvent event = DfuStart{};
  std::size_t told = 0;
  for (;;) {
    const DfuAction action = core.next(event);
    if (const auto* failed = std::get_if<DfuFailed>(&action)) return fail(failed->error, "{}", port.device_text());
    if (work.progress && core.operations() > 0 && core.operations_done() * 100 / core.operations() > told) {
      told = core.operations_done() * 100 / core.operations();
      work.progress(work.step, static_cast<double>(told) / 100);
    }
    if (std::holds_alternative<DfuDone>(action)) return {};
    if (deadline.expired()) {
      return fail(ErrorKind::timeout, "{}: {} was not done within {} ms, at {} of {} steps", port.device_text(),
                  work.step, deadline.span().count(), core.operations_done(), core.operations());
    }
    event = carry_out(action, port, received);
  }
}

Result<void> compare_flash(const DfuPort& port, std::uint32_t address, ByteView written, ByteView read) {
  const auto [wanted, got] = std::mismatch(written.begin(), written.end(), read.begin(), read.end());
  if (wanted == written.end()) return {};
  if (got == read.end()) {
    return fail(ErrorKind::unit, "{}: the flash does not hold what was written: {} of {} bytes read back",
                port.device_text(), read.size(), written.size());
  }
  return fail(ErrorKind::unit, "{}: the flash does not hold what was written: {:#04x} instead of {:#04x} at {:#010x}",
              port.device_text(), *got, *wanted, address + static_cast<std::uint32_t>(wanted - written.begin()));
}

}  // namespace hilmark
