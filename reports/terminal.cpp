#include "reports/terminal.h"

#include "harness/base/bytes.h"
#include "reports/evidence_text.h"
#include "reports/overview.h"

namespace hilmark::reports {
namespace {

using Line = std::function<void(std::string_view)>;

std::string_view colour_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::pass:
      return "\x1b[32m";
    case Verdict::fail:
      return "\x1b[1;31m";
    case Verdict::warn:
      return "\x1b[33m";
    case Verdict::inconclusive:
    case Verdict::error:
      return "\x1b[35m";
    case Verdict::skip:
      return "\x1b[2m";
  }
  return "";
}

void tell_lines(const std::string& text, std::string_view indent, const Line& line) {
  for (std::size_t start = 0; start < text.size();) {
    const std::size_t end = std::min(text.find('\n', start), text.size());
    line(fmt::format("{}{}", indent, text.substr(start, end - start)));
    start = end + 1;
  }
}

void tell_case(const CaseOutcome& outcome, const RunStory& run, bool colour, const Line& line) {
  static constexpr std::size_t max_message_bytes = 2000;
  std::string what(name_of(outcome.verdict));
  if (!outcome.error_type.empty() && outcome.error_type != what) what += " (" + outcome.error_type + ")";
  const std::string round = run.rounds > 1 && outcome.round > 0 ? fmt::format(", round {}", outcome.round) : "";
  line("");
  line(fmt::format("{}{}{}  {} {} on {}{}{}", colour ? colour_of(outcome.verdict) : "", what, colour ? "\x1b[0m" : "",
                   printable(outcome.planned->id), printable(outcome.planned->title), printable(outcome.unit->id),
                   round, outcome.unit->is_virtual ? " (VIRTUAL)" : ""));
  tell_lines(printable(shortened(outcome.message, max_message_bytes)), "  ", line);
  tell_lines(printable(fmt::format("claim: {} [{}]", outcome.planned->demand, outcome.planned->source)), "  ", line);
  for (const std::string& note : outcome.notes) tell_lines(printable(note), "  ", line);
  for (const std::string& evidence : outcome.evidence_lines) tell_lines(evidence, "  ", line);
  if (outcome.verdict != Verdict::pass) line("  again: " + repeat_command(run, outcome));
}

bool is_finding(const CaseOutcome& outcome) {
  return outcome.verdict != Verdict::pass && outcome.verdict != Verdict::skip && outcome.error_type != "not-run";
}

void tell_unit(const UnitOverview& unit, const Line& line) {
  const UnitStory& story = *unit.story;
  std::string text = fmt::format("{} ({}{}): {}", printable(story.id), printable(story.board),
                                 story.is_virtual ? ", VIRTUAL" : "", in_words(unit.tally.counts));
  if (unit.tally.not_run > 0) text += fmt::format(" ({} not run)", unit.tally.not_run);
  if (story.outcome != "done")
    text += fmt::format("; {}", story.outcome.empty() ? "cut off" : printable(story.outcome));
  static constexpr std::size_t max_message_bytes = 300;
  if (!story.message.empty()) text += ": " + printable(one_line(story.message, max_message_bytes));
  line(text);
}

}  // namespace

Result<void> tell_run(const std::filesystem::path& events, const TerminalOptions& options, const Line& line) {
  const auto overview = overview_of(events);
  if (!overview) return fail(overview.error());
  std::size_t findings = 0;
  // Whoever runs a case or two wants to read what happened, not only that it went well.
  static constexpr std::uint64_t few_cases = 4;
  const Counts& all = overview->tally.counts;
  const bool in_full = all.all() - all[Verdict::skip] <= few_cases;
  RunFollower follower(RunFollower::Keep::evidence, [&](const CaseOutcome& outcome) {
    const bool told = is_finding(outcome) || (in_full && outcome.verdict == Verdict::pass);
    if (told && ++findings <= options.max_findings) tell_case(outcome, overview->run(), options.colour, line);
  });
  if (auto followed = follow_file(events, follower, overview->bytes); !followed) return fail(followed.error());
  if (findings > options.max_findings) {
    line("");
    line(fmt::format("… and {} more findings in report.html", findings - options.max_findings));
  }
  line("");
  for (const UnitOverview& unit : overview->units) tell_unit(unit, line);
  line(fmt::format("{} verdicts on {} unit{}{}: {}", all.all(), overview->units.size(),
                   overview->units.size() == 1 ? "" : "s", overview->any_virtual() ? " (VIRTUAL)" : "", in_words(all)));
  return {};
}

}  // namespace hilmark::reports
