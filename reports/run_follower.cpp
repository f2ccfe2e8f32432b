#include "reports/run_follower.h"

#include <algorithm>

#include "harness/base/bytes.h"
#include "reports/evidence_text.h"

namespace hilmark::reports {
namespace {

// A log that claims more than these was not written by a run.
constexpr std::int64_t max_rounds = 1'000'000;
constexpr std::size_t max_open_verdicts = 100'000'000;

PlannedCase planned_case(const boost::json::object& members) {
  const Event entry{.type = {}, .members = members};
  PlannedCase planned;
  planned.id = entry.text("case");
  planned.area = entry.text("area");
  planned.level = entry.text("level");
  planned.title = entry.text("title");
  planned.demand = entry.text("demand");
  planned.source = entry.text("source");
  planned.opportunity = entry.text("opportunity");
  planned.file = entry.text("file");
  planned.needs = entry.texts("needs");
  planned.defects = entry.texts("defects");
  planned.depends_on = entry.texts("depends_on");
  planned.line = entry.number("line");
  if (const auto* skip = members.if_contains("skip"); skip != nullptr && skip->is_string())
    planned.skip = entry.text("skip");
  return planned;
}

std::vector<std::uint64_t> numbers(const boost::json::object& members, std::string_view key) {
  std::vector<std::uint64_t> result;
  const boost::json::value* list = members.if_contains(key);
  if (list == nullptr || !list->is_array()) return result;
  for (const boost::json::value& item : list->get_array()) {
    if (item.is_int64() && item.get_int64() >= 0) result.push_back(static_cast<std::uint64_t>(item.get_int64()));
  }
  return result;
}

}  // namespace

Result<void> RunFollower::follow(const Event& event) {
  if (event.type == "run_started") return run_started(event);
  if (event.type == "unit_planned") return unit_planned(event);
  if (event.type == "run_finished") {
    run_.outcome = event.text("outcome");
    run_.finished = event.text("time");
    run_.exit = event.number("exit");
    return {};
  }
  const std::string unit = event.text("unit");
  if (unit.empty()) return {};
  const auto found = by_unit_.find(unit);
  if (found == by_unit_.end())
    return fail(ErrorKind::usage, "{} of a unit {} that was not planned", event.type, printable(unit));
  Follow& follow = *found->second;
  if (event.type == "evidence") {
    if (keep_ == Keep::evidence) evidence(follow, event);
    return {};
  }
  if (event.type == "unit_started") follow.story.started = event.text("time");
  if (event.type == "unit_ready") {
    follow.story.build_id = event.text("build_id");
    follow.story.variant = event.text("variant");
    follow.story.certificate = event.text("certificate");
  }
  if (event.type == "case_started") return case_started(follow, event);
  if (event.type == "case_finished") return case_finished(follow, event);
  if (event.type == "unit_finished") {
    follow.story.outcome = event.text("outcome");
    follow.story.message = event.text("message");
    close(follow);
  }
  return {};
}

Result<void> RunFollower::run_started(const Event& event) {
  if (!follows_.empty() || !run_.id.empty()) return fail(ErrorKind::usage, "a second run begins in the same file");
  run_.id = event.text("run");
  run_.version = event.text("version");
  run_.catalogue = event.text("catalogue");
  run_.lab = event.text("lab");
  run_.host = event.text("host");
  run_.started = event.text("time");
  run_.command = event.texts("command");
  run_.seed = event.number("seed");
  run_.rounds = std::max<std::int64_t>(event.number("rounds"), 1);
  run_.strict = event.flag("strict");
  run_.long_time = event.flag("long");
  if (run_.rounds > max_rounds) return fail(ErrorKind::usage, "{} rounds are more than {}", run_.rounds, max_rounds);
  return {};
}

Result<void> RunFollower::unit_planned(const Event& event) {
  auto follow = std::make_unique<Follow>();
  UnitStory& story = follow->story;
  story.id = event.text("unit");
  story.kind = event.text("kind");
  story.board = event.text("board");
  story.chip = event.text("chip");
  story.serial = event.text("serial");
  story.port = event.text("port");
  story.firmware = event.text("firmware");
  story.is_virtual = event.flag("virtual");
  story.capabilities = event.texts("capabilities");
  if (const auto* limits = event.members.if_contains("limits"); limits != nullptr && limits->is_object()) {
    story.limits = limits->get_object();
  }
  if (const auto* cases = event.members.if_contains("cases"); cases != nullptr && cases->is_array()) {
    for (const boost::json::value& entry : cases->get_array()) {
      if (!entry.is_object()) return fail(ErrorKind::usage, "a planned case is an object");
      story.cases.push_back(planned_case(entry.get_object()));
      if (!follow->index.emplace(story.cases.back().id, story.cases.size() - 1).second) {
        return fail(ErrorKind::usage, "case {} is planned twice", printable(story.cases.back().id));
      }
    }
  }
  const std::size_t places = story.cases.size() * static_cast<std::size_t>(run_.rounds);
  if (places > max_open_verdicts) return fail(ErrorKind::usage, "{} cases are more than {}", places, max_open_verdicts);
  follow->finished.resize(places);
  if (story.id.empty() || !by_unit_.emplace(story.id, follow.get()).second) {
    return fail(ErrorKind::usage, "unit `{}` is planned without a name or twice", printable(story.id));
  }
  follows_.push_back(std::move(follow));
  return {};
}

Result<std::size_t> RunFollower::place_of(const Follow& follow, const Event& event) const {
  const std::string id = event.text("case");
  const auto found = follow.index.find(id);
  if (found == follow.index.end()) {
    return fail(ErrorKind::usage, "{} of case `{}`, which was not planned for {}", event.type, printable(id),
                follow.story.id);
  }
  const std::int64_t round = event.number("round");
  if (round < 1 || round > run_.rounds) {
    return fail(ErrorKind::usage, "{} in round {}; the run has {}", event.type, round, run_.rounds);
  }
  return static_cast<std::size_t>(round - 1) * follow.story.cases.size() + found->second;
}

Result<void> RunFollower::case_started(Follow& follow, const Event& event) {
  const auto place = place_of(follow, event);
  if (!place) return fail(place.error());
  follow.running = *place;
  return {};
}

Result<void> RunFollower::case_finished(Follow& follow, const Event& event) {
  const auto place = place_of(follow, event);
  if (!place) return fail(place.error());
  if (follow.finished[*place] || follow.closed) {
    return fail(ErrorKind::usage, "{} ends twice on {}", event.text("case"), follow.story.id);
  }
  const auto verdict = verdict_from(event.text("verdict"));
  if (!verdict) return fail(ErrorKind::usage, "`{}` is no verdict", printable(event.text("verdict")));
  follow.finished[*place] = true;
  follow.running.reset();

  CaseOutcome outcome;
  outcome.unit = &follow.story;
  outcome.planned = &follow.story.cases[*place % follow.story.cases.size()];
  outcome.round = event.number("round");
  outcome.verdict = *verdict;
  outcome.error_type = event.text("error_type");
  if (outcome.error_type.empty() && *verdict == Verdict::inconclusive) outcome.error_type = "inconclusive";
  if (outcome.error_type.empty() && *verdict == Verdict::error) outcome.error_type = "rig";
  outcome.message = event.text("message");
  outcome.blocked_by = event.text("blocked_by");
  outcome.opportunity = outcome.planned->opportunity;
  if (const auto* seen = event.members.if_contains("opportunity"); seen != nullptr && seen->is_object()) {
    const Event opportunity{.type = {}, .members = seen->get_object()};
    outcome.opportunity_seen = opportunity.flag("seen");
    if (std::string what = opportunity.text("what"); !what.empty()) outcome.opportunity = std::move(what);
  }
  outcome.evidence = numbers(event.members, "evidence");
  outcome.notes = event.texts("notes");
  outcome.duration_ms = std::clamp<std::int64_t>(event.number("duration_ms"), 0, std::int64_t{1} << 40);
  outcome.waited_ms = std::clamp<std::int64_t>(event.number("waited_ms"), 0, outcome.duration_ms);
  outcome.time = event.text("time");
  if (keep_ == Keep::evidence) {
    static constexpr std::size_t max_lines = 50;
    for (const std::uint64_t number : outcome.evidence) {
      if (outcome.evidence_lines.size() == max_lines) {
        outcome.evidence_lines.push_back(
            fmt::format("… and {} more in events.jsonl", outcome.evidence.size() - max_lines));
        break;
      }
      const auto piece = std::lower_bound(follow.evidence.begin(), follow.evidence.end(), number,
                                          [](const Piece& left, std::uint64_t right) { return left.number < right; });
      const bool kept = piece != follow.evidence.end() && piece->number == number;
      outcome.evidence_lines.push_back(kept ? piece->line : fmt::format("#{} (see events.jsonl)", number));
    }
  }
  sink_(outcome);
  return {};
}

void RunFollower::evidence(Follow& follow, const Event& event) const {
  const auto number = static_cast<std::uint64_t>(std::max<std::int64_t>(event.number("number"), 0));
  if (!follow.evidence.empty() && number <= follow.evidence.back().number) return;
  follow.evidence.push_back({number, evidence_line(event)});
  if (follow.evidence.size() > max_evidence) follow.evidence.pop_front();
}

void RunFollower::close(Follow& follow) {
  if (follow.closed) return;
  follow.closed = true;
  for (const PlannedCase& planned : follow.story.cases) {
    if (!planned.skip) continue;
    CaseOutcome outcome;
    outcome.unit = &follow.story;
    outcome.planned = &planned;
    outcome.verdict = Verdict::skip;
    outcome.message = *planned.skip;
    outcome.opportunity = planned.opportunity;
    sink_(outcome);
  }
  for (std::size_t place = 0; place < follow.finished.size(); ++place) {
    if (!follow.finished[place] && !follow.story.cases[place % follow.story.cases.size()].skip)
      tell_open(follow, place);
  }
  follow.evidence.clear();
}

void RunFollower::tell_open(const Follow& follow, std::size_t place) {
  const UnitStory& unit = follow.story;
  const bool ran = follow.running == place;
  CaseOutcome outcome;
  outcome.unit = &unit;
  outcome.planned = &unit.cases[place % unit.cases.size()];
  outcome.round = static_cast<std::int64_t>(place / unit.cases.size()) + 1;
  outcome.verdict = Verdict::error;
  outcome.opportunity = outcome.planned->opportunity;
  const bool lost = unit.outcome == "died" || unit.outcome == "failed";
  outcome.error_type = lost || (unit.outcome.empty() && ran) ? "rig" : "not-run";
  if (unit.outcome.empty()) {
    outcome.message = ran ? "the run was cut off while this case ran" : "the run was cut off before this case began";
  } else if (lost) {
    outcome.message = fmt::format(
        "{}: {}", ran ? "the unit was lost while this case ran" : "the unit was lost before this case began",
        unit.message);
  } else {
    outcome.message = fmt::format("{}{}{}", ran ? "broken off while it ran" : "did not run",
                                  unit.message.empty() ? "" : ": ", unit.message);
  }
  sink_(outcome);
}

void RunFollower::end() {
  for (const auto& follow : follows_) close(*follow);
}

std::vector<const UnitStory*> RunFollower::units() const {
  std::vector<const UnitStory*> stories;
  stories.reserve(follows_.size());
  for (const auto& follow : follows_) stories.push_back(&follow->story);
  return stories;
}

const PlannedCase* RunFollower::running_on(const std::string& unit) const {
  const auto found = by_unit_.find(unit);
  if (found == by_unit_.end() || !found->second->running) return nullptr;
  const UnitStory& story = found->second->story;
  return &story.cases[*found->second->running % story.cases.size()];
}

Result<std::uint64_t> follow_file(const std::filesystem::path& path, RunFollower& follower, std::uint64_t max_bytes) {
  auto reader = EventLogReader::open(path, max_bytes);
  if (!reader) return fail(reader.error());
  for (;;) {
    auto event = reader->next();
    if (!event) return fail(event.error());
    if (!*event) break;
    if (auto followed = follower.follow(**event); !followed) {
      return fail(followed.error(), "{}:{}", path.string(), (*event)->line);
    }
  }
  follower.end();
  return reader->consumed();
}

}  // namespace hilmark::reports
