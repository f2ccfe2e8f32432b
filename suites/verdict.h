// How a case ends, and the exceptions by which a body or a helper ends it early.
#pragma once

#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "harness/base/error.h"
#include "harness/base/evidence.h"
#include "reports/verdict.h"
#include "suites/case.h"

namespace hilmark::suites {

using reports::name_of;
using reports::Verdict;

/// The rig failed, not the device: ends the case as `error`, type `rig`.
struct RigTrouble : std::runtime_error {
  explicit RigTrouble(const Error& error) : std::runtime_error(error.message) {}
};
/// Nothing can be said about the claim: ends the case as `inconclusive`.
struct Inconclusive : std::runtime_error {
  using std::runtime_error::runtime_error;
};
/// The same, because the unit did not answer in its time though it is there: a case whose claim is about the answer has
/// more to say to that.
struct NoAnswer : Inconclusive {
  using Inconclusive::Inconclusive;
};
/// The demand was not met: ends the case as `fail` (`inconclusive` if the opportunity was never seen).
struct ClaimFailed : std::runtime_error {
  using std::runtime_error::runtime_error;
};
/// Half of the claim, or all of it, does not apply to this unit.
struct NotApplicable : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// What the rig has to be right for: an error here is never the device's.
template <class T>
T rig_value(Result<T> result) {
  if (!result) throw RigTrouble(result.error());
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

/// What a case gathers while it runs.
struct Findings {
  EvidencePtr opportunity;            ///< the first observation without which nothing could be judged
  std::vector<EvidencePtr> evidence;  ///< what the verdict rests on
  std::vector<std::string> failures;  ///< each a finding
  std::vector<std::string> warnings;
  std::vector<std::string> notes;  ///< told in every report, judged in none
  std::optional<std::string> rig_trouble;
  std::optional<std::string> unsound;  ///< the rig was not well after it, so that nothing can be said against the unit
  std::optional<std::string> inconclusive;
  std::optional<std::string> not_applicable;
};

struct Judgement {
  Verdict verdict = Verdict::inconclusive;
  std::string message;
};

/// Device failure, rig error, inconclusive and skip are never mixed: a claim fails only if its opportunity was seen;
/// what the rig did wrong is told as the rig's, unless the device had failed before. What a SHOULD demands is a
/// warning.
[[nodiscard]] Judgement judge(const Findings& findings, const std::string& opportunity, Level level);

/// A GoogleTest failure as a finding: what was found, what was expected, and what the claim said to it. The code's own
/// words (the expression, its type) are left out.
[[nodiscard]] std::string finding_of(std::string_view googletest_message);

}  // namespace hilmark::suites
