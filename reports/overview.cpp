#include "reports/overview.h"

#include <algorithm>

#include "harness/base/bytes.h"

namespace hilmark::reports {
namespace {

/// A word that a shell takes as it stands, or quoted.
std::string quoted(const std::string& word) {
  const bool plain = !word.empty() && std::all_of(word.begin(), word.end(), [](unsigned char character) {
    return std::isalnum(character) != 0 ||
           std::string_view("-_./=:,+@%").find(static_cast<char>(character)) != std::string_view::npos;
  });
  if (plain) return word;
  std::string text = "'";
  for (const char character : word) text += character == '\'' ? std::string("'\\''") : std::string(1, character);
  return text + "'";
}

}  // namespace

void Tally::add(const CaseOutcome& outcome) {
  counts.add(outcome.verdict);
  duration_ms += outcome.duration_ms;
  waited_ms += outcome.waited_ms;
  if (outcome.error_type == "not-run") ++not_run;
}

bool RunOverview::any_virtual() const {
  return std::any_of(units.begin(), units.end(), [](const UnitOverview& unit) { return unit.story->is_virtual; });
}

Result<RunOverview> overview_of(const std::filesystem::path& events) {
  RunOverview overview;
  overview.path = events;
  std::map<std::string, UnitOverview> units;
  Tally total;
  overview.follower = std::make_unique<RunFollower>(RunFollower::Keep::verdicts, [&](const CaseOutcome& outcome) {
    UnitOverview& unit = units[outcome.unit->id];
    unit.tally.add(outcome);
    unit.by_area[outcome.planned->area].add(outcome);
    total.add(outcome);
  });
  const auto bytes = follow_file(events, *overview.follower);
  if (!bytes) return fail(bytes.error());
  overview.bytes = *bytes;
  overview.tally = total;
  for (const UnitStory* story : overview.follower->units()) {
    UnitOverview& unit = units[story->id];
    unit.story = story;
    for (const PlannedCase& planned : story->cases) {
      if (std::find(unit.areas.begin(), unit.areas.end(), planned.area) == unit.areas.end())
        unit.areas.push_back(planned.area);
    }
    overview.units.push_back(std::move(unit));
  }
  return overview;
}

int exit_status(const RunOverview& overview) {
  const Counts& counts = overview.tally.counts;
  if (counts[Verdict::fail] > 0 || (overview.run().strict && counts[Verdict::warn] > 0)) return 1;
  const bool all_judged = std::all_of(overview.units.begin(), overview.units.end(),
                                      [](const UnitOverview& unit) { return unit.tally.counts.judged() > 0; });
  return counts[Verdict::error] > 0 || counts[Verdict::inconclusive] > 0 || !all_judged ? 3 : 0;
}

std::string repeat_command(const RunStory& run, const CaseOutcome& outcome) {
  const std::string program = run.command.empty() ? "hilmark" : run.command.front();
  std::string text;
  if (outcome.unit->is_virtual) {
    const std::filesystem::path beside = std::filesystem::path(program).replace_filename("virtual-lab");
    text =
        fmt::format("{} --lab {} -- ", quoted(program.find('/') == std::string::npos ? "virtual-lab" : beside.string()),
                    quoted(run.lab));
  }
  text += fmt::format("{} run --lab {} --unit {} --case {}", quoted(program), quoted(run.lab), quoted(outcome.unit->id),
                      quoted(outcome.planned->id));
  if (run.long_time) text += " --long";
  if (!outcome.unit->firmware.empty()) text += fmt::format(" --firmware {}", quoted(outcome.unit->firmware));
  return printable(text + fmt::format(" --seed {}", run.seed));
}

}  // namespace hilmark::reports
