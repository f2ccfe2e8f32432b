// How often a unit tries: the bound that the service sets to one client's connections (CONNECT: 1 a second a client
// id), as the catalogue has it for all rows that refuse a unit again and again.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "suites/bench.h"

namespace hilmark::suites {

constexpr std::size_t most_attempts_in_window = 15;       ///< in any Timing::storm_window (10 s)
constexpr std::size_t most_attempts_in_six_windows = 90;  ///< in any six of them (60 s)
constexpr std::size_t attempts_worth_a_warning = 10;      ///< in any window: more than one a second

/// Most connections that began within any `window`.
[[nodiscard]] std::size_t most_within(const std::vector<EvidencePtr>& attempts, Milliseconds window);

/// The longest time between two attempts in a row, of the last `intervals` of them; nullopt: there were no two.
[[nodiscard]] std::optional<Milliseconds> longest_interval(const std::vector<EvidencePtr>& attempts,
                                                           std::size_t intervals);

/// Whether the connection that this CONNACK was of has ended, or was told something that the rules end it with.
[[nodiscard]] bool has_ended(const Evidence& connack, const std::vector<EvidencePtr>& seen);

/// Of the endpoint's evidence since a fault began: whether the unit, which met that with `met`, is served by a
/// connection of its own that has not ended. Where `met` is a CONNACK, the fault passed the unit by, and that
/// connection counts.
[[nodiscard]] bool is_served_after(const Evidence& met, const std::vector<EvidencePtr>& seen);

/// Claims that since `after` the unit kept to the bound.
void expect_no_storm(Bench& bench, std::uint64_t after);

/// How long a row refuses a unit to watch how it tries: 60 s, or less with a compressed clock.
[[nodiscard]] inline Milliseconds refusal_time(const Bench& bench) { return 6 * bench.info().timing.storm_window; }

}  // namespace hilmark::suites
