#include "reports/html.h"

#include <boost/json/serialize.hpp>
#include <fmt/ranges.h>

#include "harness/base/bytes.h"
#include "reports/evidence_text.h"
#include "reports/grouped_spool.h"
#include "reports/overview.h"

namespace hilmark::reports {
namespace {

constexpr std::string_view page_start = R"(<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>hilmark report</title><style>
:root{color-scheme:light dark}
body{font:15px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin:2rem 0 .3rem}
table{border-collapse:collapse;width:100%}
td,th{text-align:left;vertical-align:top;padding:.35rem .6rem;border-top:1px solid #8884}
td:last-child,th:last-child{text-align:right;white-space:nowrap}
pre{white-space:pre-wrap;overflow-wrap:anywhere;font-size:12.5px;margin:.4rem 0}
.mark{display:inline-block;border:2px solid #b60;color:#b60;padding:0 .5rem;font-weight:700;letter-spacing:.1em}
.v{font-weight:600}.pass{color:#187a34}.fail{color:#c5221f}.warn{color:#a66300}.inconclusive,.error{color:#8430ce}.skip{color:#777}
.facts{color:#777}
</style></head><body>
)";

std::string escaped(const std::string& untrusted) {
  std::string text;
  for (const char character : printable(untrusted)) {
    switch (character) {
      case '&':
        text += "&amp;";
        break;
      case '<':
        text += "&lt;";
        break;
      case '>':
        text += "&gt;";
        break;
      case '"':
        text += "&quot;";
        break;
      case '\'':
        text += "&#39;";
        break;
      default:
        text += character;
    }
  }
  return text;
}

std::string_view mark(bool is_virtual) { return is_virtual ? " <span class=\"mark\">VIRTUAL</span>" : ""; }

std::string row(const CaseOutcome& outcome, const RunStory& run) {
  static constexpr std::size_t max_message_bytes = 4000;
  const PlannedCase& planned = *outcome.planned;
  std::string more = fmt::format("{} [{}; {}]\n", planned.demand, planned.level, planned.source);
  if (!planned.needs.empty()) more += fmt::format("needs: {}\n", fmt::join(planned.needs, ", "));
  if (!outcome.opportunity.empty() && outcome.round > 0) {
    more += fmt::format("opportunity: {} ({})\n", outcome.opportunity, outcome.opportunity_seen ? "seen" : "not seen");
  }
  for (const std::string& note : outcome.notes) more += "note: " + note + "\n";
  for (const std::string& line : outcome.evidence_lines) more += line + "\n";
  more += "again: " + repeat_command(run, outcome);
  const std::string message =
      outcome.message.empty() ? ""
                              : fmt::format("<pre>{}</pre>", escaped(shortened(outcome.message, max_message_bytes)));
  const std::string round = run.rounds > 1 && outcome.round > 0 ? fmt::format(" (round {})", outcome.round) : "";
  const std::string type = outcome.error_type.empty() || outcome.error_type == name_of(outcome.verdict)
                               ? ""
                               : " (" + outcome.error_type + ")";
  return fmt::format(
      "<tr><td class=\"v {0}\">{0}{1}</td><td><b>{2}</b> {3}{4}{5}<details><summary>claim and evidence</summary>"
      "<pre>{6}</pre></details></td><td>{7}.{8:03} s</td></tr>\n",
      name_of(outcome.verdict), escaped(type), escaped(planned.id), escaped(planned.title), round, message,
      escaped(more), outcome.duration_ms / 1000, outcome.duration_ms % 1000);
}

std::string limits_text(const boost::json::object& limits) {
  std::vector<std::string> texts;
  for (const auto& limit : limits) {
    texts.push_back(fmt::format("{} {}", std::string_view(limit.key()), boost::json::serialize(limit.value())));
  }
  return fmt::format("{}", fmt::join(texts, " · "));
}

std::string unit_head(const UnitOverview& unit) {
  const UnitStory& story = *unit.story;
  return fmt::format(
      "<h2>{}{}</h2>\n<p>{}</p>\n<p class=\"facts\">{} · board {} · chip {} · serial {} · port {} · firmware {} · "
      "build {} {} · {}{}</p>\n"
      "<p class=\"facts\">limits: {}</p>\n"
      "<table><tr><th>verdict</th><th>case</th><th>time</th></tr>\n",
      escaped(story.id), mark(story.is_virtual), in_words(unit.tally.counts), escaped(story.kind), escaped(story.board),
      escaped(story.chip), escaped(story.serial), escaped(story.port), escaped(story.firmware), escaped(story.build_id),
      escaped(story.variant), escaped(story.outcome.empty() ? "cut off" : story.outcome),
      story.message.empty() ? "" : ": " + escaped(story.message), escaped(limits_text(story.limits)));
}

}  // namespace

Result<void> write_html(const std::filesystem::path& events, TextOutput& output) {
  const auto overview = overview_of(events);
  if (!overview) return fail(overview.error());
  auto spool = GroupedSpool::make();
  if (!spool) return fail(spool.error());
  const RunStory& run = overview->run();
  std::map<std::string, std::size_t> groups;
  for (const UnitOverview& unit : overview->units) groups.emplace(unit.story->id, groups.size());
  Result<void> spooled;
  RunFollower follower(RunFollower::Keep::evidence, [&](const CaseOutcome& outcome) {
    if (spooled) spooled = spool->append(groups.at(outcome.unit->id), row(outcome, run));
  });
  if (auto followed = follow_file(events, follower, overview->bytes); !followed) return fail(followed.error());
  if (!spooled) return spooled;

  output.write(page_start);
  output.write(fmt::format("<h1>hilmark: {}{}</h1>\n<p><b>{}</b></p>\n", escaped(run.id), mark(overview->any_virtual()),
                           in_words(overview->tally.counts)));
  output.write(fmt::format(
      "<p class=\"facts\">{} to {} · {} · lab {} · seed {} · rounds {} · catalogue {} · hilmark {} · {}</p>\n",
      escaped(run.started), escaped(run.finished), escaped(run.host), escaped(run.lab), run.seed, run.rounds,
      escaped(run.catalogue), escaped(run.version), escaped(run.outcome.empty() ? "cut off" : run.outcome)));
  std::size_t group = 0;
  for (const UnitOverview& unit : overview->units) {
    output.write(unit_head(unit));
    if (auto copied = spool->each(group++, [&](std::string_view fragment) { output.write(fragment); }); !copied)
      return copied;
    output.write("</table>\n");
  }
  output.write("</body></html>\n");
  return {};
}

}  // namespace hilmark::reports
