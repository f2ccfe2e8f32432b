#include "reports/junit.h"

#include <cstdlib>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pugixml.hpp>

#include "harness/base/bytes.h"
#include "harness/base/child_process.h"
#include "harness/base/temporary_folder.h"
#include "reports/html.h"
#include "reports/sample_run.h"
#include "reports/summary.h"
#include "reports/validate.h"

namespace hilmark::reports {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing_support::sample_run;
using testing_support::write_lines;

class Junit : public testing::Test {
 protected:
  TemporaryFolder folder_ = TemporaryFolder::make().value();
  std::filesystem::path events_ = folder_.path() / "events.jsonl";
  std::filesystem::path xml_ = folder_.path() / "junit.xml";
  SystemClock clock_;

  std::string made_of(const std::vector<std::filesystem::path>& logs) {
    auto output = TextOutput::to_file(xml_).value();
    const auto written = write_junit(logs, output);
    EXPECT_TRUE(written) << written.error().message;
    EXPECT_TRUE(output.finish());
    EXPECT_THAT(faults_of(xml_).value(), IsEmpty());
    return as_text(read_file(xml_).value());
  }
  std::string made_of_lines(const std::vector<std::string>& lines) {
    write_lines(events_, lines);
    return made_of({events_});
  }
  void expect_schema_holds(const std::vector<std::filesystem::path>& files) {
    std::vector<std::string> command{"xmllint", "--noout", "--schema", "reports/junit.xsd"};
    for (const auto& file : files) command.push_back(file.string());
    const auto checked = run_command({.command = command}, Deadline(clock_, Milliseconds{60000}));
    EXPECT_TRUE(checked) << checked.error().message;
  }
  static pugi::xml_node find_case(const pugi::xml_document& document, const std::string& name) {
    return document.find_node([&](const pugi::xml_node& node) { return node.attribute("name").value() == name; });
  }
};

TEST_F(Junit, LooksAsItAlwaysDid) {
  const std::string made = made_of_lines(sample_run());
  const std::filesystem::path golden = "reports/testdata/sample.xml";
  if (std::getenv("HILMARK_REMAKE_GOLDENS") != nullptr) {
    ASSERT_TRUE(write_file(golden, made));
  }
  EXPECT_EQ(made, as_text(read_file(golden).value()))
      << "if this is meant: HILMARK_REMAKE_GOLDENS=1 build/tests/reports_test --gtest_filter=Junit.LooksAsItAlwaysDid";
  expect_schema_holds({xml_});
}

TEST_F(Junit, EachVerdictHasItsForm) {
  pugi::xml_document document;
  const std::string text = made_of_lines(sample_run());
  ASSERT_TRUE(document.load_string(text.c_str()));
  const auto failed = find_case(document, "SNI-01 one name <&> \"quoted\" [virtual-1]");
  EXPECT_STREQ(failed.child("failure").attribute("type").value(), "SNI-01");
  EXPECT_STREQ(failed.child("failure").attribute("message").value(),
               "the ClientHello carries no server_name ]]> \\x1b <x>; second line");
  EXPECT_THAT(failed.child("failure").text().get(),
              HasSubstr("--unit virtual-1 --case SNI-01 --firmware build/images/golden.img --seed 7"));
  EXPECT_THAT(failed.child("system-out").text().get(), HasSubstr("ctl \\x1b[31m ]]> & <b> \\x01 end"));
  EXPECT_STREQ(failed.attribute("classname").value(), "hilmark.virtual_stm32h7.sni");
  EXPECT_STREQ(find_case(document, "MODE-01 DEFAULT [virtual-2]").child("error").attribute("type").value(),
               "inconclusive");
  EXPECT_STREQ(find_case(document, "TLS-04 names [virtual-2]").child("error").attribute("type").value(), "rig");
  EXPECT_STREQ(find_case(document, "SNI-02 the right name [virtual-2]").child("skipped").attribute("message").value(),
               "blocked by SNI-01");
  EXPECT_STREQ(
      find_case(document, "PROV-09 survives a power cut [virtual-2]").child("skipped").attribute("message").value(),
      "needs power; the unit offers reset, console");
  const auto warned = find_case(document, "MQTT-01 CONNECT first [virtual-1]");
  EXPECT_TRUE(warned.child("failure").empty());
  EXPECT_STREQ(warned.child("properties").find_child_by_attribute("name", "verdict").attribute("value").value(),
               "warn");
  EXPECT_THAT(warned.child("system-out").text().get(), HasSubstr("warning: keep-alive above 1200 s"));
  const auto root = document.document_element();
  EXPECT_EQ(root.attribute("tests").as_int(), 14);
  EXPECT_EQ(root.attribute("failures").as_int(), 2);
  EXPECT_EQ(root.attribute("errors").as_int(), 4);
  EXPECT_EQ(root.attribute("skipped").as_int(), 4);
}

TEST_F(Junit, AStrictRunsWarningIsAFailure) {
  std::vector<std::string> lines = sample_run();
  lines[0].insert(1, "\"strict\":true,");
  const std::string text = made_of_lines(lines);
  EXPECT_THAT(text, HasSubstr("<failure message=\"keep-alive above 1200 s\" type=\"MQTT-01\">"));
  expect_schema_holds({xml_});
}

TEST_F(Junit, RoundsAndRunsKeepNamesApart) {
  const std::string rounds = made_of_lines(sample_run(3));
  EXPECT_THAT(rounds, HasSubstr("LIFE-06 connects (round 3) [virtual-1]"));
  const std::filesystem::path second = folder_.path() / "second.jsonl";
  write_lines(second, sample_run());
  write_lines(events_, sample_run());
  const std::string merged = made_of({events_, second});
  EXPECT_THAT(merged, HasSubstr("LIFE-06 connects (run 2) [virtual-1]"));
  EXPECT_THAT(merged, HasSubstr("tests=\"28\""));
  expect_schema_holds({xml_});
}

TEST_F(Junit, OneUnitOfABoardNeedsNoBrackets) {
  std::vector<std::string> lines = sample_run();
  std::vector<std::string> first_only;
  for (const std::string& line : lines) {
    if (line.find("virtual-2") == std::string::npos) first_only.push_back(line);
  }
  EXPECT_THAT(made_of_lines(first_only),
              testing::AllOf(HasSubstr("\"LIFE-06 connects\""), Not(HasSubstr("[virtual-1]"))));
}

TEST_F(Junit, AKillAtAnyInstantLeavesAValidReport) {
  std::string whole;
  std::vector<std::size_t> cuts{0};
  for (const std::string& line : sample_run(2)) {
    whole += line;
    cuts.push_back(whole.size());
  }
  const unsigned seed = 20260131;
  std::mt19937 random(seed);
  std::uniform_int_distribution<std::size_t> anywhere(0, whole.size());
  for (int time = 0; time < 20; ++time) cuts.push_back(anywhere(random));
  std::vector<std::filesystem::path> files;
  for (const std::size_t cut : cuts) {
    SCOPED_TRACE(fmt::format("cut at octet {} (seed {})", cut, seed));
    ASSERT_TRUE(write_file(events_, whole.substr(0, cut)));
    (void)made_of({events_});
    files.push_back(folder_.path() / fmt::format("{}.xml", cut));
    std::filesystem::copy_file(xml_, files.back(), std::filesystem::copy_options::overwrite_existing);
    auto page = TextOutput::to_file(folder_.path() / "report.html").value();
    EXPECT_TRUE(write_html(events_, page));
    auto summary = TextOutput::to_file(folder_.path() / "summary.json").value();
    EXPECT_TRUE(write_summary(events_, summary));
  }
  expect_schema_holds(files);
}

TEST_F(Junit, ItsReaderSeesTheSameNumbers) {
  (void)made_of_lines(sample_run(2));
  const auto read = run_command({.command = {"/usr/bin/python3", "reports/read_back.py", xml_.string()}},
                                Deadline(clock_, Milliseconds{60000}));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(*read, "12 suites, 26 cases, 4 failures, 8 errors, 6 skipped\n");
}

}  // namespace
}  // namespace hilmark::reports
