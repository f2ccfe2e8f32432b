// For tests: a port that writes down what goes through it.
#pragma once

#include "drivers/dfu/dfu_port.h"
#include "drivers/dfu/dfu_trace.h"

namespace hilmark {

/// Both outlive it.
class DfuTracePort final : public DfuPort {
 public:
  DfuTracePort(DfuPort& inner, const Clock& clock) : inner_(inner), clock_(clock) {}

  [[nodiscard]] const std::vector<DfuTraceStep>& steps() const { return steps_; }

  Answer send(DfuRequest request, std::uint16_t value, ByteView data) override {
    const SteadyTime begun = clock_.now();
    return noted(begun, request, value, data.size(), inner_.send(request, value, data));
  }
  Answer receive(DfuRequest request, std::uint16_t value, std::uint16_t size_bytes) override {
    const SteadyTime begun = clock_.now();
    return noted(begun, request, value, size_bytes, inner_.receive(request, value, size_bytes));
  }
  Result<void> wait(Milliseconds time) override { return inner_.wait(time); }
  Result<void> reset_bus() override {
    steps_.emplace_back(DfuBusWasReset{clock_.now()});
    return inner_.reset_bus();
  }
  [[nodiscard]] std::string device_text() const override { return inner_.device_text(); }

 private:
  Answer noted(SteadyTime begun, DfuRequest request, std::uint16_t value, std::size_t size_bytes, Answer answer) {
    DfuExchange exchange{begun, clock_.now(), request, value, size_bytes, DfuExchange::Outcome::answered, {}};
    if (!answer) {
      exchange.outcome = DfuExchange::Outcome::lost;
    } else if (std::holds_alternative<Stall>(*answer)) {
      exchange.outcome = DfuExchange::Outcome::stalled;
    } else {
      exchange.answer = std::get<Bytes>(*answer);
    }
    steps_.emplace_back(std::move(exchange));
    return answer;
  }

  DfuPort& inner_;
  const Clock& clock_;
  std::vector<DfuTraceStep> steps_;
};

}  // namespace hilmark
