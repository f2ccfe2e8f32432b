#include "reports/junit.h"

#include <set>

#include <boost/json/serialize.hpp>
#include <fmt/ranges.h>
#include <pugixml.hpp>

#include "harness/base/bytes.h"
#include "reports/evidence_text.h"
#include "reports/grouped_spool.h"
#include "reports/overview.h"

namespace hilmark::reports {
namespace {

constexpr std::size_t max_message_bytes = 500;
constexpr std::size_t max_text_bytes = 16'000;

struct StringWriter final : pugi::xml_writer {
  std::string text;
  void write(const void* data, size_t size) override { text.append(static_cast<const char*>(data), size); }
};

std::string print(const pugi::xml_node& node, unsigned depth) {
  StringWriter writer;
  node.print(writer, "  ", pugi::format_indent, pugi::encoding_utf8, depth);
  return std::move(writer.text);
}

void set(pugi::xml_node node, const char* name, const std::string& value) {
  node.append_attribute(name).set_value(printable(value).c_str());
}

void add_property(pugi::xml_node properties, const char* name, const std::string& value) {
  pugi::xml_node property = properties.append_child("property");
  set(property, "name", name);
  set(property, "value", value);
}

/// 1234 → "1.234"
std::string seconds(std::int64_t duration_ms) {
  return fmt::format("{}.{:03}", duration_ms / 1000, duration_ms % 1000);
}

/// "2026-01-31T23:59:59": Jenkins wants neither zone nor fraction.
std::string stamp(const std::string& time) {
  static constexpr std::string_view shape = "0000-00-00T00:00:00";
  if (time.size() < shape.size()) return "1970-01-01T00:00:00";
  for (std::size_t index = 0; index < shape.size(); ++index) {
    const bool digit = time[index] >= '0' && time[index] <= '9';
    if (shape[index] == '0' ? !digit : time[index] != shape[index]) return "1970-01-01T00:00:00";
  }
  return time.substr(0, shape.size());
}

std::string dotless(std::string text) {
  for (char& character : text) {
    if (character == '.') character = '_';
  }
  return text;
}

std::string classname(const UnitStory& unit, const std::string& area) {
  return fmt::format("hilmark.{}.{}", dotless(unit.board), area);
}

bool counts_as_failure(Verdict verdict, bool strict) {
  return verdict == Verdict::fail || (verdict == Verdict::warn && strict);
}

/// How many children of each kind a suite has.
struct SuiteCounts {
  explicit SuiteCounts(const Tally& tally, bool strict)
      : tests(tally.counts.all()),
        failures(tally.counts[Verdict::fail] + (strict ? tally.counts[Verdict::warn] : 0)),
        errors(tally.counts[Verdict::error] + tally.counts[Verdict::inconclusive]),
        skipped(tally.counts[Verdict::skip]),
        duration_ms(tally.duration_ms) {}
  std::uint64_t tests, failures, errors, skipped;
  std::int64_t duration_ms;
  void add(const SuiteCounts& other) {
    tests += other.tests;
    failures += other.failures;
    errors += other.errors;
    skipped += other.skipped;
    duration_ms += other.duration_ms;
  }
  void put(pugi::xml_node node) const {
    node.append_attribute("tests").set_value(static_cast<unsigned long long>(tests));
    node.append_attribute("failures").set_value(static_cast<unsigned long long>(failures));
    node.append_attribute("errors").set_value(static_cast<unsigned long long>(errors));
    node.append_attribute("skipped").set_value(static_cast<unsigned long long>(skipped));
    set(node, "time", seconds(duration_ms));
  }
};

/// What must be known of all logs before the first case can be written.
struct Names {
  std::set<std::string> boards_of_many;  // boards with more than one unit
  std::set<std::string> units_of_many;   // units in more than one log
  explicit Names(const std::vector<RunOverview>& runs) {
    std::map<std::string, std::set<std::string>> units_of_board;
    std::map<std::string, int> logs_of_unit;
    for (const RunOverview& run : runs) {
      for (const UnitOverview& unit : run.units) {
        units_of_board[unit.story->board].insert(unit.story->id);
        if (++logs_of_unit[unit.story->id] > 1) units_of_many.insert(unit.story->id);
      }
    }
    for (const auto& [board, units] : units_of_board) {
      if (units.size() > 1) boards_of_many.insert(board);
    }
  }
  [[nodiscard]] std::string of(const CaseOutcome& outcome, const RunStory& run, std::size_t log) const {
    std::string name = fmt::format("{} {}", outcome.planned->id, outcome.planned->title);
    if (run.rounds > 1 && outcome.round > 0) name += fmt::format(" (round {})", outcome.round);
    if (units_of_many.count(outcome.unit->id) > 0) name += fmt::format(" (run {})", log + 1);
    if (boards_of_many.count(outcome.unit->board) > 0) name += fmt::format(" [{}]", outcome.unit->id);
    return name;
  }
};

std::string details(const CaseOutcome& outcome, const RunStory& run) {
  std::string text = fmt::format("{}\n\nThe claim: {} [{}; {}]\n", outcome.message, outcome.planned->demand,
                                 outcome.planned->level, outcome.planned->source);
  for (const std::string& line : outcome.evidence_lines) text += line + "\n";
  text += fmt::format("Again: {}\n", repeat_command(run, outcome));
  return printable(shortened(text, max_text_bytes));
}

std::string system_out(const CaseOutcome& outcome) {
  std::string text;
  if (outcome.verdict == Verdict::warn) text += fmt::format("warning: {}\n", outcome.message);
  if (!outcome.opportunity.empty() && outcome.round > 0) {
    text += fmt::format("opportunity: {} ({})\n", outcome.opportunity, outcome.opportunity_seen ? "seen" : "not seen");
  }
  for (const std::string& note : outcome.notes) text += fmt::format("note: {}\n", note);
  for (const std::string& line : outcome.evidence_lines) text += line + "\n";
  return printable(shortened(text, max_text_bytes));
}

void add_verdict(pugi::xml_node testcase, const CaseOutcome& outcome, const RunStory& run) {
  if (outcome.verdict == Verdict::skip) {
    set(testcase.append_child("skipped"), "message", one_line(outcome.message, max_message_bytes));
    return;
  }
  const bool failed = counts_as_failure(outcome.verdict, run.strict);
  if (!failed && outcome.verdict != Verdict::error && outcome.verdict != Verdict::inconclusive) return;
  pugi::xml_node node = testcase.append_child(failed ? "failure" : "error");
  set(node, "message", one_line(outcome.message, max_message_bytes));
  set(node, "type", failed ? outcome.planned->id : outcome.error_type);
  node.append_child(pugi::node_pcdata).set_value(details(outcome, run).c_str());
}

std::string testcase_xml(const CaseOutcome& outcome, const RunStory& run, const std::string& name) {
  const PlannedCase& planned = *outcome.planned;
  pugi::xml_document document;
  pugi::xml_node testcase = document.append_child("testcase");
  set(testcase, "name", name);
  set(testcase, "classname", classname(*outcome.unit, planned.area));
  set(testcase, "time", seconds(outcome.duration_ms));
  if (!planned.file.empty()) {
    set(testcase, "file", planned.file);
    testcase.append_attribute("line").set_value(static_cast<long long>(planned.line));
  }
  pugi::xml_node properties = testcase.append_child("properties");
  add_property(properties, "case", planned.id);
  add_property(properties, "unit", outcome.unit->id);
  add_property(properties, "virtual", outcome.unit->is_virtual ? "true" : "false");
  add_property(properties, "verdict", std::string(name_of(outcome.verdict)));
  add_property(properties, "level", planned.level);
  add_property(properties, "needs", fmt::format("{}", fmt::join(planned.needs, " ")));
  add_property(properties, "source", planned.source);
  add_property(properties, "catalogue", run.catalogue);
  if (outcome.round > 0) add_property(properties, "round", std::to_string(outcome.round));
  if (!outcome.evidence.empty()) {
    add_property(properties, "evidence",
                 shortened(fmt::format("{}", fmt::join(outcome.evidence, " ")), max_message_bytes));
  }
  if (!outcome.blocked_by.empty()) add_property(properties, "blocked_by", outcome.blocked_by);
  add_verdict(testcase, outcome, run);
  if (const std::string text = system_out(outcome); !text.empty()) {
    testcase.append_child("system-out").append_child(pugi::node_pcdata).set_value(text.c_str());
  }
  return print(testcase, 2);
}

/// The start tag, without its end, and the properties.
std::string suite_head(const RunOverview& run, const UnitOverview& unit, const std::string& area, std::size_t id) {
  const UnitStory& story = *unit.story;
  const auto tally = unit.by_area.find(area);
  pugi::xml_document document;
  pugi::xml_node suite = document.append_child("testsuite");
  set(suite, "name", fmt::format("{}.{}", story.id, area));
  SuiteCounts(tally == unit.by_area.end() ? Tally{} : tally->second, run.run().strict).put(suite);
  set(suite, "timestamp", stamp(story.started.empty() ? run.run().started : story.started));
  set(suite, "hostname", run.run().host);
  set(suite, "id", std::to_string(id));
  set(suite, "package", fmt::format("hilmark.{}", dotless(story.board)));
  pugi::xml_node properties = suite.append_child("properties");
  add_property(properties, "unit", story.id);
  add_property(properties, "virtual", story.is_virtual ? "true" : "false");
  add_property(properties, "kind", story.kind);
  add_property(properties, "board", story.board);
  add_property(properties, "chip", story.chip);
  add_property(properties, "serial", story.serial);
  add_property(properties, "port", story.port);
  add_property(properties, "capabilities", fmt::format("{}", fmt::join(story.capabilities, " ")));
  add_property(properties, "limits", boost::json::serialize(story.limits));
  add_property(properties, "firmware", story.firmware);
  add_property(properties, "build_id", story.build_id);
  add_property(properties, "variant", story.variant);
  add_property(properties, "certificate", story.certificate);
  add_property(properties, "run", run.run().id);
  add_property(properties, "seed", std::to_string(run.run().seed));
  add_property(properties, "catalogue", run.run().catalogue);
  add_property(properties, "hilmark", run.run().version);
  std::string text = print(suite, 1);
  text.erase(text.rfind("  </testsuite>"));
  return text;
}

/// Second pass: each case goes to the spool, in the group of its suite.
Result<void> spool_cases(const std::vector<RunOverview>& runs, GroupedSpool& spool) {
  const Names names(runs);
  std::size_t first_group = 0;
  for (std::size_t log = 0; log < runs.size(); ++log) {
    std::map<std::pair<std::string, std::string>, std::size_t> groups;  // unit and area
    for (const UnitOverview& unit : runs[log].units) {
      for (const std::string& area : unit.areas) groups.emplace(std::pair(unit.story->id, area), first_group++);
    }
    Result<void> spooled;
    RunFollower follower(RunFollower::Keep::evidence, [&](const CaseOutcome& outcome) {
      if (!spooled) return;
      const auto group = groups.find(std::pair(outcome.unit->id, outcome.planned->area));
      spooled =
          spool.append(group->second, testcase_xml(outcome, runs[log].run(), names.of(outcome, runs[log].run(), log)));
    });
    if (auto followed = follow_file(runs[log].path, follower, runs[log].bytes); !followed)
      return fail(followed.error());
    if (!spooled) return spooled;
  }
  return {};
}

}  // namespace

Result<void> write_junit(const std::vector<std::filesystem::path>& events, TextOutput& output) {
  std::vector<RunOverview> runs;
  for (const std::filesystem::path& path : events) {
    auto overview = overview_of(path);
    if (!overview) return fail(overview.error());
    runs.push_back(std::move(*overview));
  }
  auto spool = GroupedSpool::make();
  if (!spool) return fail(spool.error());
  if (auto spooled = spool_cases(runs, *spool); !spooled) return spooled;

  SuiteCounts total{Tally{}, false};
  for (const RunOverview& run : runs) total.add(SuiteCounts(run.tally, run.run().strict));
  pugi::xml_document document;
  pugi::xml_node root = document.append_child("testsuites");
  set(root, "name", "hilmark");
  total.put(root);
  set(root, "timestamp", stamp(runs.empty() ? "" : runs.front().run().started));
  root.append_child("testsuite");
  std::string head = print(root, 0);
  head.erase(head.rfind("  <testsuite"));

  output.write("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
  output.write(head);
  std::size_t id = 0;
  for (const RunOverview& run : runs) {
    for (const UnitOverview& unit : run.units) {
      for (const std::string& area : unit.areas) {
        output.write(suite_head(run, unit, area, id));
        if (auto copied = spool->each(id, [&](std::string_view fragment) { output.write(fragment); }); !copied)
          return copied;
        output.write("  </testsuite>\n");
        ++id;
      }
    }
  }
  output.write("</testsuites>\n");
  return {};
}

}  // namespace hilmark::reports
