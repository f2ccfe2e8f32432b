#include "reports/summary.h"

#include <boost/json/parse.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/base/bytes.h"
#include "harness/base/temporary_folder.h"
#include "reports/html.h"
#include "reports/sample_run.h"
#include "reports/terminal.h"

namespace hilmark::reports {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing_support::sample_run;
using testing_support::write_lines;

class Summary : public testing::Test {
 protected:
  void SetUp() override { write_lines(events_, sample_run()); }
  TemporaryFolder folder_ = TemporaryFolder::make().value();
  std::filesystem::path events_ = folder_.path() / "events.jsonl";

  boost::json::value summary() {
    auto output = TextOutput::to_file(folder_.path() / "summary.json").value();
    EXPECT_TRUE(write_summary(events_, output));
    EXPECT_TRUE(output.finish());
    return boost::json::parse(as_text(read_file(folder_.path() / "summary.json").value()));
  }
};

TEST_F(Summary, HoldsEachVerdictAndTheCounts) {
  const boost::json::value json = summary();
  EXPECT_EQ(json.at("version").as_int64(), 1);
  EXPECT_EQ(json.at("cases").as_array().size(), 14U);
  EXPECT_EQ(json.at("counts").at("fail").as_int64(), 2);
  EXPECT_EQ(json.at("units").at(1).at("counts").at("skip").as_int64(), 2);
  EXPECT_TRUE(json.at("units").at(0).at("virtual").as_bool());
  EXPECT_EQ(json.at("exit").as_int64(), 1);
}

TEST_F(Summary, ARunThatWasCutOffHasNoExitStatus) {
  std::vector<std::string> lines = sample_run();
  lines.pop_back();
  write_lines(events_, lines);
  EXPECT_TRUE(summary().at("exit").is_null());
  EXPECT_TRUE(summary().at("outcome").is_null());
}

TEST_F(Summary, TheTerminalIsToldClaimEvidenceAndCommandAndTheCountsLast) {
  std::vector<std::string> lines;
  ASSERT_TRUE(tell_run(events_, {}, [&](std::string_view line) { lines.emplace_back(line); }));
  EXPECT_THAT(lines, Contains("fail  SNI-01 one name <&> \"quoted\" on virtual-1 (VIRTUAL)"));
  EXPECT_THAT(lines, Contains("  claim: what SNI-01 demands [RFC 6066 §3]"));
  EXPECT_THAT(lines, Contains(HasSubstr("console_line, connection 3: \"ctl \\x1b[31m")));
  EXPECT_THAT(lines, Contains("  again: build/virtual-lab --lab lab.yaml -- build/hilmark run --lab lab.yaml --unit "
                              "virtual-1 --case SNI-01 "
                              "--firmware build/images/golden.img --seed 7"));
  EXPECT_EQ(lines.back(),
            "14 verdicts on 2 units (VIRTUAL): 2 passed, 2 failed, 2 warnings, 2 inconclusive, 4 skipped, 2 errors");
}

TEST_F(Summary, ARunThatMightTakeHoursIsRepeatedAsOne) {
  std::vector<std::string> events = sample_run();
  events[0].insert(1, "\"long\":true,");
  write_lines(events_, events);
  EXPECT_TRUE(summary().at("run").at("long").as_bool());
  std::vector<std::string> lines;
  ASSERT_TRUE(tell_run(events_, {}, [&](std::string_view line) { lines.emplace_back(line); }));
  EXPECT_THAT(lines, Contains(HasSubstr("--case SNI-01 --long --firmware")));
}

TEST_F(Summary, TheTerminalIsNotFlooded) {
  std::vector<std::string> lines;
  ASSERT_TRUE(tell_run(events_, {.colour = false, .max_findings = 1},
                       [&](std::string_view line) { lines.emplace_back(line); }));
  EXPECT_THAT(lines, Contains("… and 7 more findings in report.html"));
}

TEST_F(Summary, ThePageEscapesWhatADeviceSaid) {
  auto output = TextOutput::to_file(folder_.path() / "report.html").value();
  ASSERT_TRUE(write_html(events_, output));
  ASSERT_TRUE(output.finish());
  const std::string page = as_text(read_file(folder_.path() / "report.html").value());
  EXPECT_THAT(page, HasSubstr("\\x1b[31m ]]&gt; &amp; &lt;b&gt; \\x01 end"));
  EXPECT_THAT(page, testing::Not(HasSubstr("<b> \\x01")));
  EXPECT_THAT(page, HasSubstr("VIRTUAL"));
}

}  // namespace
}  // namespace hilmark::reports
