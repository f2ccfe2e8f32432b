#include "drivers/tool/tool_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hilmark {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

ToolConfig tool() {
  ToolConfig config;
  config.name = "burner";
  config.install = "Debian package burner";
  config.wanted = {{"chip", "the chip's name"}};
  config.arguments = {{"chip", "esp32"}};
  config.write.command = {"burner", "--chip", "{chip}", "{image}"};
  return config;
}

TEST(ToolConfig, PlaceholdersAreNamesInBracesAndNothingElse) {
  EXPECT_THAT(placeholders_in("a{image}b{size}{ x}{}{a-b}{{serial}}{"), ElementsAre("image", "size", "serial"));
  EXPECT_THAT(placeholders_in("set filename {{/tmp/x y}}"), IsEmpty());
}

TEST(ToolConfig, WhatAValueBringsInIsNotLookedAtAgain) {
  EXPECT_EQ(filled("{a} {b} {c} {", {{"a", "{b}"}, {"b", "2"}}), "{b} 2 {c} {");
}

TEST(ToolConfig, AGoodOneIsTaken) {
  const auto checked = check(tool());
  EXPECT_TRUE(checked) << checked.error().message;
}

TEST(ToolConfig, AMissingArgumentIsToldWithItsMeaning) {
  ToolConfig config = tool();
  config.arguments.clear();
  EXPECT_THAT(check(config).error().message,
              AllOf(HasSubstr("wants the argument `chip`"), HasSubstr("the chip's name")));
}

TEST(ToolConfig, AnArgumentThatNobodyWantsIsTold) {
  ToolConfig config = tool();
  config.arguments["speed"] = "9";
  EXPECT_THAT(check(config).error().message, AllOf(HasSubstr("takes no argument `speed`"), HasSubstr("it wants chip")));
}

TEST(ToolConfig, APlaceholderThatNobodyFillsIsTold) {
  ToolConfig config = tool();
  config.write.command.emplace_back("{imge}");
  EXPECT_THAT(check(config).error().message, HasSubstr("nobody fills the placeholder {imge}"));
  config = tool();
  config.write.script = "load {flie}";
  EXPECT_THAT(check(config).error().message, HasSubstr("{flie}"));
}

TEST(ToolConfig, BadPatternsAreTold) {
  for (std::string ToolCommand::*pattern : {&ToolCommand::success, &ToolCommand::failure, &ToolCommand::refusal}) {
    ToolConfig config = tool();
    config.write.*pattern = "(open";
    EXPECT_THAT(check(config).error().message, HasSubstr("'(open': no regular expression"));
  }
  ToolConfig config = tool();
  config.write.progress = R"(\d+%)";
  EXPECT_THAT(check(config).error().message, HasSubstr("0 groups; one tells percent"));
}

TEST(ToolConfig, WithoutWritingItIsNone) {
  ToolConfig config = tool();
  config.write = {};
  EXPECT_THAT(check(config).error().message, HasSubstr("no `write`"));
}

TEST(ToolConfig, AProgramThatIsNotThereIsToldWithTheWayToGetIt) {
  ToolConfig config = tool();
  config.write.command[0] = "no-such-program-as-this";
  const auto checked = check_programs(config);
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().kind, ErrorKind::usage);
  EXPECT_THAT(checked.error().message, AllOf(HasSubstr("no program no-such-program-as-this in PATH"),
                                             HasSubstr("to get it: Debian package burner")));
  config.write.command[0] = "sh";
  EXPECT_TRUE(check_programs(config));
}

TEST(ToolConfig, ACommandIsShownAsAShellWouldTakeIt) {
  EXPECT_EQ(command_text({"openocd", "-c", "reset run", ""}), "openocd -c 'reset run' ''");
}

}  // namespace
}  // namespace hilmark
