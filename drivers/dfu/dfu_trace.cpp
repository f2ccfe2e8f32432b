#include "drivers/dfu/dfu_trace.h"

#include <fmt/format.h>

namespace hilmark {
namespace {

constexpr std::uint16_t dfuse_version = 0x011a;
constexpr std::int32_t unknown_block = -1;

class Checker {
 public:
  explicit Checker(const DfuFunctional& functional) : functional_(functional) {}

  void on(const DfuBusWasReset& /*reset*/) {
    ++number_;
    forget();
  }

  void on(const DfuExchange& exchange) {
    ++number_;
    pass_time(exchange.begun);
    if (const std::string why = forbids(exchange); !why.empty()) {
      report_.faults.push_back(fmt::format("request {}, {}: {}", number_, name_of(exchange.request), why));
    }
    follow(exchange);
  }

  [[nodiscard]] DfuTraceReport report() { return std::move(report_); }

 private:
  [[nodiscard]] bool is_dfuse() const { return functional_.version == dfuse_version; }

  /// The states that are left by the poll time's end.
  void pass_time(SteadyTime now) {
    if (now < until_) return;
    if (state_ == DfuState::download_busy) state_ = DfuState::download_sync;
    if (state_ == DfuState::manifest) {
      state_ = functional_.manifestation_tolerant ? DfuState::manifest_sync : DfuState::manifest_wait_reset;
    }
  }

  [[nodiscard]] std::string forbids(const DfuExchange& exchange) const {
    if (exchange.begun < until_) {
      return fmt::format("{} us before bwPollTimeout was over",
                         std::chrono::ceil<std::chrono::microseconds>(until_ - exchange.begun).count());
    }
    if (knows_state_ && !allows(state_, exchange)) return fmt::format("not allowed in {}", name_of(state_));
    const bool carries = exchange.request == DfuRequest::download || exchange.request == DfuRequest::upload;
    if (!carries) return {};
    if (exchange.size_bytes > functional_.transfer_bytes) {
      return fmt::format("{} bytes are more than wTransferSize, {}", exchange.size_bytes, functional_.transfer_bytes);
    }
    const std::int32_t expected = knows_state_ && state_ == DfuState::idle ? 0 : next_block_;
    if (!is_dfuse() && exchange.size_bytes > 0 && expected != unknown_block && exchange.value != expected) {
      return fmt::format("block {} where {} was next", exchange.value, expected);
    }
    return {};
  }

  [[nodiscard]] bool allows(DfuState state, const DfuExchange& exchange) const {
    const DfuRequest request = exchange.request;
    if (state == DfuState::download_busy || state == DfuState::manifest || state == DfuState::manifest_wait_reset) {
      return false;
    }
    if (request == DfuRequest::get_status || request == DfuRequest::get_state) return true;
    switch (state) {
      case DfuState::app_idle:
        return request == DfuRequest::detach;
      case DfuState::idle:
        if (request == DfuRequest::download) return functional_.can_download && (exchange.size_bytes > 0 || is_dfuse());
        return (request == DfuRequest::upload && functional_.can_upload) || request == DfuRequest::abort;
      case DfuState::download_idle:
        return request == DfuRequest::download || request == DfuRequest::abort;
      case DfuState::upload_idle:
        return request == DfuRequest::upload || request == DfuRequest::abort;
      case DfuState::error:
        return request == DfuRequest::clear_status;
      default:
        return false;
    }
  }

  void follow(const DfuExchange& exchange) {
    if (exchange.outcome == DfuExchange::Outcome::lost) {
      forget();
      return;
    }
    if (exchange.request != DfuRequest::get_state) knows_state_ = true;
    if (exchange.outcome == DfuExchange::Outcome::stalled) {
      state_ = DfuState::error;
      until_ = {};
      return;
    }
    switch (exchange.request) {
      case DfuRequest::get_status:
        return told(exchange);
      case DfuRequest::download:
        state_ = exchange.size_bytes > 0 ? DfuState::download_sync : DfuState::manifest_sync;
        next_block_ = static_cast<std::uint16_t>(exchange.value + 1);
        return;
      case DfuRequest::upload:
        state_ = exchange.answer.size() < exchange.size_bytes ? DfuState::idle : DfuState::upload_idle;
        next_block_ = static_cast<std::uint16_t>(exchange.value + 1);
        return;
      case DfuRequest::clear_status:
      case DfuRequest::abort:
        state_ = DfuState::idle;
        return;
      case DfuRequest::detach:
        state_ = DfuState::app_detach;
        return;
      case DfuRequest::get_state:
        return;
    }
  }

  void forget() {
    knows_state_ = false;
    until_ = {};
    next_block_ = unknown_block;
  }

  void told(const DfuExchange& exchange) {
    const auto status = parse_dfu_status(exchange.answer);
    if (!status) {
      knows_state_ = false;
      return;
    }
    state_ = status->state;
    until_ = exchange.ended + status->poll_timeout;
    report_.demanded += status->poll_timeout;
  }

  DfuFunctional functional_;
  DfuTraceReport report_;
  std::size_t number_ = 0;
  bool knows_state_ = false;
  DfuState state_ = DfuState::idle;
  SteadyTime until_{};  ///< no request before
  std::int32_t next_block_ = unknown_block;
};

}  // namespace

DfuTraceReport check_dfu_trace(const std::vector<DfuTraceStep>& steps, const DfuFunctional& functional) {
  Checker checker(functional);
  for (const DfuTraceStep& step : steps) {
    std::visit([&](const auto& one) { checker.on(one); }, step);
  }
  return checker.report();
}

}  // namespace hilmark
