#include "drivers/tool/tool_output.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hilmark {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class Output : public testing::Test {
 protected:
  ToolOutput made(const ToolCommand& command) {
    return {command, [this](const std::string& line) { return lines.emplace_back(line); },
            [this](double fraction) { fractions.push_back(fraction); }};
  }
  /// One octet at a time, since a pipe cuts where it likes.
  static void say(ToolOutput& output, std::string_view text) {
    for (const char octet : text) output.feed(as_bytes(std::string_view(&octet, 1)));
  }
  std::vector<std::string> lines;
  std::vector<double> fractions;
};

TEST_F(Output, LinesAndProgressAreToldApart) {
  auto output = made({.progress = R"(\]\s+(\d+)%)"});
  say(output, "Opening\r\nDownload [==  ]  45% 100 bytes\rDownload [====] 100% 200 bytes\r\n\x1b[32mDone\x1b[0m");
  output.end();
  EXPECT_THAT(lines, ElementsAre("Opening", "Done"));
  EXPECT_THAT(fractions, ElementsAre(0.45, 1.0));
  EXPECT_EQ(output.progress_lines(), 2U);
}

TEST_F(Output, ProgressMayBeSoMuchOfSoMuch) {
  auto output = made({.progress = R"((\d+)/(\d+) pages)"});
  say(output, "1/4 pages\n9/4 pages\n1/0 pages\n");
  EXPECT_THAT(fractions, ElementsAre(0.25, 1.0));
  EXPECT_THAT(lines, ElementsAre("1/0 pages"));
}

TEST_F(Output, SilenceWithStatusZeroIsSuccessUnlessSomethingMustBeSaid) {
  EXPECT_THAT(made({}).verdict(true, "exit status 0").why, IsEmpty());
  EXPECT_THAT(made({.success = "^Verified$"}).verdict(true, "exit status 0").why,
              AllOf(HasSubstr("ended with exit status 0, but said nothing that matches '^Verified$'"),
                    HasSubstr("it said nothing")));
}

TEST_F(Output, WhatMustBeSaidAndWasIsSuccess) {
  auto output = made({.success = "^Verified$"});
  say(output, "Verified\nbye\n");
  EXPECT_THAT(output.verdict(true, "exit status 0").why, IsEmpty());
  EXPECT_THAT(output.verdict(false, "exit status 1").why,
              AllOf(HasSubstr("exit status 1"), HasSubstr("the last that it said was 'bye'")));
}

TEST_F(Output, AFailureThatIsSaidCountsMoreThanStatusZeroAndSuccess) {
  auto output = made({.success = "ok", .failure = "^Error"});
  say(output, "ok\nError: no probe\nError: and more\n");
  const auto verdict = output.verdict(true, "exit status 0");
  EXPECT_EQ(verdict.why, "it said 'Error: no probe', and ended with exit status 0");
  EXPECT_FALSE(verdict.is_refusal);
}

TEST_F(Output, ARefusalIsTheBoards) {
  auto output = made({.failure = "^Error", .refusal = "write protected"});
  say(output, "Error: flash is write protected\n");
  const auto verdict = output.verdict(false, "exit status 1");
  EXPECT_TRUE(verdict.is_refusal);
  EXPECT_THAT(verdict.why, HasSubstr("write protected"));
}

TEST_F(Output, AFloodWithoutLineEndsIsCut) {
  auto output = made({});
  say(output, std::string(100'000, 'x'));
  output.end();
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0].size(), ToolOutput::max_line_bytes);
}

TEST_F(Output, APatternThatWouldTakeForEverDoesNotMatch) {
  auto output = made({.success = "^(a+)+$"});
  say(output, std::string(1900, 'a') + "b\n");
  EXPECT_THAT(output.verdict(true, "exit status 0").why, HasSubstr("nothing that matches"));
}

}  // namespace
}  // namespace hilmark
