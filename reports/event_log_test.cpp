#include "reports/event_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/base/bytes.h"
#include "harness/base/temporary_folder.h"
#include "reports/sample_run.h"

namespace hilmark::reports {
namespace {

using testing::HasSubstr;
using testing_support::event_line;
using testing_support::write_lines;

class EventLog : public testing::Test {
 protected:
  TemporaryFolder folder_ = TemporaryFolder::make().value();
  std::filesystem::path path_ = folder_.path() / "events.jsonl";

  /// The types of all events, then the error's message if there was one.
  std::vector<std::string> read() {
    std::vector<std::string> seen;
    auto reader = EventLogReader::open(path_);
    for (;;) {
      auto event = reader->next();
      if (!event) seen.push_back(event.error().message);
      if (!event || !*event) return seen;
      seen.push_back((*event)->type);
    }
  }
};

TEST_F(EventLog, ALastLineWithoutItsEndIsIgnored) {
  write_lines(path_, {event_line({{"type", "one"}}), R"({"v":1,"type":"tw)"});
  EXPECT_THAT(read(), testing::ElementsAre("one"));
  write_lines(path_, {event_line({{"type", "one"}}), R"({"v":1,"type":"two"})"});
  EXPECT_THAT(read(), testing::ElementsAre("one")) << "whole, but nobody knows that";
}

TEST_F(EventLog, ALineThatIsNoEventIsToldWithFileAndLine) {
  const struct {
    const char* line;
    const char* why;
  } bad[] = {
      {"garbage\n", "no JSON"},
      {"[1]\n", "JSON object"},
      {"{\"v\":1}\n", "`type`"},
      {"{\"v\":2,\"type\":\"x\"}\n", "version 1"},
      {"{\"v\":1,\"type\":\"\xff\"}\n", "no JSON"},
  };
  for (const auto& [line, why] : bad) {
    write_lines(path_, {event_line({{"type", "one"}}), line});
    EXPECT_THAT(read(), testing::ElementsAre("one", testing::AllOf(HasSubstr("events.jsonl:2: "), HasSubstr(why))))
        << line;
  }
}

TEST_F(EventLog, ALineWithoutEndDoesNotFillTheMemory) {
  write_lines(path_, {std::string(EventLogReader::max_line_bytes + 100'000, 'x')});
  EXPECT_THAT(read(), testing::ElementsAre(HasSubstr("events.jsonl:1: a line is longer than")));
}

TEST_F(EventLog, NoFileIsAUsageError) {
  EXPECT_EQ(EventLogReader::open(folder_.path() / "none").error().kind, ErrorKind::usage);
}

TEST_F(EventLog, ReadsNoFurtherThanItIsTold) {
  const std::string one = event_line({{"type", "one"}});
  write_lines(path_, {one, event_line({{"type", "two"}})});
  auto reader = EventLogReader::open(path_, one.size() + 5);
  EXPECT_TRUE(reader->next().value());
  EXPECT_FALSE(reader->next().value());
  EXPECT_EQ(reader->consumed(), one.size());
}

TEST_F(EventLog, MembersOfAnotherTypeAreAsIfMissing) {
  const Event event = parse_event(R"({"v":1,"type":"x","text":5,"number":"5","list":["a",1,"b"]})").value();
  EXPECT_EQ(event.text("text"), "");
  EXPECT_EQ(event.number("number"), 0);
  EXPECT_FALSE(event.flag("text"));
  EXPECT_THAT(event.texts("list"), testing::ElementsAre("a", "b"));
}

}  // namespace
}  // namespace hilmark::reports
