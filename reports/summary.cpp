#include "reports/summary.h"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include "reports/overview.h"

namespace hilmark::reports {
namespace {

boost::json::value text_or_null(const std::string& text) {
  return text.empty() ? boost::json::value(nullptr) : boost::json::value(text);
}

boost::json::object counts_object(const Counts& counts) {
  boost::json::object object;
  for (const Verdict verdict : all_verdicts) object[name_of(verdict)] = counts[verdict];
  return object;
}

boost::json::object run_object(const RunStory& run) {
  boost::json::array command;
  for (const std::string& word : run.command) command.emplace_back(word);
  return {{"id", run.id},
          {"hilmark", run.version},
          {"catalogue", run.catalogue},
          {"command", command},
          {"lab", run.lab},
          {"seed", run.seed},
          {"rounds", run.rounds},
          {"strict", run.strict},
          {"long", run.long_time},
          {"started", run.started},
          {"finished", text_or_null(run.finished)}};
}

boost::json::object case_object(const CaseOutcome& outcome) {
  return {{"unit", outcome.unit->id},
          {"virtual", outcome.unit->is_virtual},
          {"case", outcome.planned->id},
          {"area", outcome.planned->area},
          {"level", outcome.planned->level},
          {"round", outcome.round == 0 ? boost::json::value(nullptr) : boost::json::value(outcome.round)},
          {"verdict", name_of(outcome.verdict)},
          {"error_type", text_or_null(outcome.error_type)},
          {"blocked_by", text_or_null(outcome.blocked_by)},
          {"message", outcome.message},
          {"duration_ms", outcome.duration_ms},
          {"waited_ms", outcome.waited_ms}};
}

boost::json::object unit_object(const UnitOverview& unit) {
  const UnitStory& story = *unit.story;
  return {{"unit", story.id},
          {"virtual", story.is_virtual},
          {"kind", story.kind},
          {"board", story.board},
          {"chip", text_or_null(story.chip)},
          {"serial", text_or_null(story.serial)},
          {"firmware", text_or_null(story.firmware)},
          {"build_id", text_or_null(story.build_id)},
          {"variant", text_or_null(story.variant)},
          {"outcome", text_or_null(story.outcome)},
          {"message", story.message},
          {"limits", story.limits},
          {"counts", counts_object(unit.tally.counts)},
          {"duration_ms", unit.tally.duration_ms},
          {"waited_ms", unit.tally.waited_ms}};
}

}  // namespace

Result<void> write_summary(const std::filesystem::path& events, TextOutput& output) {
  const auto overview = overview_of(events);
  if (!overview) return fail(overview.error());
  const RunStory& run = overview->run();
  output.write(fmt::format("{{\"version\": 1,\n\"run\": {},\n\"cases\": [", boost::json::serialize(run_object(run))));
  bool first = true;
  RunFollower follower(RunFollower::Keep::verdicts, [&](const CaseOutcome& outcome) {
    output.write(first ? "\n" : ",\n");
    first = false;
    output.write(boost::json::serialize(case_object(outcome)));
  });
  if (auto followed = follow_file(events, follower, overview->bytes); !followed) return fail(followed.error());
  boost::json::array units;
  for (const UnitOverview& unit : overview->units) units.push_back(unit_object(unit));
  const boost::json::value exit = run.exit ? boost::json::value(*run.exit) : boost::json::value(nullptr);
  output.write(fmt::format("\n],\n\"units\": {},\n\"counts\": {},\n\"outcome\": {},\n\"exit\": {}}}\n",
                           boost::json::serialize(units), boost::json::serialize(counts_object(overview->tally.counts)),
                           boost::json::serialize(text_or_null(run.outcome)), boost::json::serialize(exit)));
  return {};
}

}  // namespace hilmark::reports
