#include "drivers/dfu/dfu_machine.h"

namespace hilmark {
namespace {

constexpr std::uint16_t status_bytes = 6;
constexpr int max_recoveries = 8;
constexpr int max_polls = 100'000;

template <class... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};
template <class... Handlers>
Overloaded(Handlers...) -> Overloaded<Handlers...>;

}  // namespace

DfuAction DfuMachine::next(const DfuEvent& event) {
  if (at_ >= count_) return DfuDone{};
  return std::visit(
      Overloaded{
          [&](const DfuStart&) -> DfuAction { return begin(); },
          [&](const DfuSent&) -> DfuAction { return ask_status(); },
          [&](const DfuReceived& received) -> DfuAction { return on_received(received.data); },
          [&](const DfuWaited&) -> DfuAction { return act_on(status_); },
          [&](const DfuBusReset&) -> DfuAction { return after_reset(); },
          [&](const DfuResetRefused& refused) -> DfuAction { return DfuFailed{refused.error.with_context(doing())}; },
          // A request that a state does not allow is answered by a stall, and dfuERROR: ask why.
          [&](const DfuStalled&) -> DfuAction {
            if (step_ == Step::status_asked) return refuse("its status request was refused");
            stalled_ = true;
            return ask_status();
          },
          // The board may be gone before it answers the last request.
          [&](const DfuGone& gone) -> DfuAction {
            if (may_leave() || only_resets_) return after_reset();
            return DfuFailed{gone.error.with_context(doing())};
          },
      },
      event);
}

DfuAction DfuMachine::begin() {
  busy_ = Milliseconds{0};
  polls_ = 0;
  recoveries_ = 0;
  stalled_ = false;
  if (goes_to_idle()) return ask_status();
  DfuAction first = request();
  step_ = std::holds_alternative<DfuReceive>(first) ? Step::data_asked : Step::command_sent;
  return first;
}

DfuAction DfuMachine::finish(std::size_t skipped) {
  at_ += 1 + skipped;
  return at_ < count_ ? begin() : DfuDone{};
}

DfuAction DfuMachine::ask_status() {
  step_ = Step::status_asked;
  return DfuReceive{DfuRequest::get_status, 0, status_bytes};
}

DfuAction DfuMachine::on_received(ByteView data) {
  if (step_ == Step::data_asked) return take(data);
  const auto status = parse_dfu_status(data);
  if (!status) return refuse(fmt::format("its status is no DFU status: {}", to_hex(data)));
  return on_status(*status);
}

DfuAction DfuMachine::on_status(const DfuStatus& status) {
  status_ = status;
  if (status.poll_timeout.count() == 0) return act_on(status);
  busy_ += status.poll_timeout;
  if (busy_ > max_busy) return refuse(fmt::format("it wants {} ms for this, which is too long", busy_.count()));
  return DfuWait{status.poll_timeout};
}

DfuAction DfuMachine::act_on(const DfuStatus& status) {
  if (++polls_ > max_polls) return refuse("it stays busy for ever");
  if (goes_to_idle()) return towards_idle(status);
  if (stalled_) return refuse("it refused the request (stall)");
  return judge(status);
}

// Appendix A.2: ABORT is for dfuDNLOAD-IDLE and dfuUPLOAD-IDLE; what is being programmed or manifested can only be
// waited for, and dfuMANIFEST-WAIT-RESET only be reset.
DfuAction DfuMachine::towards_idle(const DfuStatus& status) {
  switch (status.state) {
    case DfuState::idle:
      return finish();
    case DfuState::app_idle:
    case DfuState::app_detach:
      return refuse("it runs its application, not its bootloader");
    case DfuState::download_busy:
    case DfuState::download_sync:
    case DfuState::manifest_sync:
      return ask_status();
    case DfuState::manifest:
      if (tolerant_) return ask_status();
      [[fallthrough]];
    case DfuState::manifest_wait_reset:
      only_resets_ = true;
      return DfuResetBus{};
    case DfuState::download_idle:
    case DfuState::upload_idle:
    case DfuState::error:
      break;
  }
  if (++recoveries_ > max_recoveries) return refuse("it cannot be brought back to dfuIDLE; power-cycle it");
  step_ = Step::command_sent;
  return DfuSend{status.state == DfuState::error ? DfuRequest::clear_status : DfuRequest::abort, 0, {}};
}

DfuAction DfuMachine::after_reset() {
  if (!only_resets_) return finish();
  return refuse("it waited for the bus reset that ends an earlier download, and has had it now; run again");
}

DfuAction DfuMachine::refuse(std::string_view what) const {
  return DfuFailed{
      Error{ErrorKind::unit, fmt::format("{}: {} (bState {}, bStatus {} {})", doing(), what, name_of(status_.state),
                                         status_.status, dfu_status_name(status_.status))}};
}

}  // namespace hilmark
