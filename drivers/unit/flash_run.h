// The one loop that carries out what a flasher's protocol core says, whatever the protocol.
#pragma once

#include <cstddef>
#include <string>
#include <variant>

#include "drivers/unit/unit.h"

namespace hilmark {

struct FlashWork {
  std::string step;  ///< "writing", for progress and messages
  Progress progress;
};

/// Tells `core` the `event`, has `carry_out` do what it says next, tells it what came of that, until it says Done.
/// Failed and Done are two of the core's actions. Errors: the core's own with `device` before them; timeout if the
/// deadline is over first.
template <class Failed, class Done, class Core, class Event, class CarryOut>
[[nodiscard]] Result<void> run_flash_core(Core& core, Event event, const std::string& device, const FlashWork& work,
                                          const Deadline& deadline, const CarryOut& carry_out) {
  std::size_t told = 0;
  for (;;) {
    const auto action = core.next(event);
    if (const auto* failed = std::get_if<Failed>(&action)) return fail(failed->error, "{}", device);
    const std::size_t steps = core.operations();
    const std::size_t percent = steps == 0 ? 100 : core.operations_done() * 100 / steps;
    if (work.progress && percent > told) {
      told = percent;
      work.progress(work.step, static_cast<double>(told) / 100);
    }
    if (std::holds_alternative<Done>(action)) return {};
    if (deadline.expired()) {
      return fail(ErrorKind::timeout, "{}: {} was not done within {} ms, at {} of {} steps", device, work.step,
                  deadline.span().count(), core.operations_done(), steps);
    }
    event = carry_out(action);
  }
}

}  // namespace hilmark
