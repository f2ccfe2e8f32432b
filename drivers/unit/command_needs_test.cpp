#include "drivers/unit/command_needs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hilmark {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

CommandSet commands_with(const std::vector<std::string>& verbs, const char* escapes = R"({"\n": "\\A"})") {
  std::string text = fmt::format("version: 1\nescapes: {}\n", escapes);
  text += "line_end: \"\\n\"\ncommands:\n  echo: {send: \"E {text}\", expect: \"^(.*)$\"}\n";
  for (const std::string& verb : verbs) {
    text += fmt::format("  {0}: {{send: \"{0} ", verb);
    if (verb == "setting") text += "{key}=";
    if (verb != "csr" && verb != "connect") text += "{value}";
    text += "\", expect: \"^(OK)$\"}\n";
  }
  auto set = CommandSet::parse(text, "test.yaml");
  EXPECT_TRUE(set) << set.error().message;
  return std::move(*set);
}

std::string missing(const std::vector<std::string>& verbs, const Capabilities& capabilities, bool has_settings) {
  const auto checked = check_verbs(commands_with(verbs), capabilities, has_settings);
  return checked ? "" : checked.error().message;
}

TEST(CommandNeeds, ABoardThatIsToldNothingNeedsAnEchoAlone) { EXPECT_EQ(missing({}, {Capability::reset}, false), ""); }

TEST(CommandNeeds, EveryMissingVerbIsToldWithWhatNeedsIt) {
  EXPECT_THAT(missing({"client_id", "port"}, {Capability::csr, Capability::endpoint}, true),
              AllOf(HasSubstr("`csr` (for capability csr)"), HasSubstr("`endpoint` (for capability endpoint)"),
                    HasSubstr("`connect_address` (for capability endpoint)"), HasSubstr("`setting`"),
                    Not(HasSubstr("`port`")), Not(HasSubstr("`client_id`"))));
}

TEST(CommandNeeds, WhoMakesNoKeyMustTakeOne) {
  const std::vector<std::string> all = {"client_id", "trust_anchor",    "certificate", "csr",
                                        "endpoint",  "connect_address", "port",        "connect"};
  EXPECT_EQ(missing(all, {Capability::install, Capability::csr}, false), "");
  EXPECT_THAT(missing(all, {Capability::install}, false), HasSubstr("`private_key`"));
}

TEST(CommandNeeds, PemIsSaidInOneLine) {
  const auto refused = check_verbs(commands_with({"certificate"}, "{}"), {}, false);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, AllOf(HasSubstr("`escapes` do not cover \"\\n\""), HasSubstr("`certificate`")));
  EXPECT_TRUE(check_verbs(commands_with({"endpoint"}, "{}"), {}, false));
}

}  // namespace
}  // namespace hilmark
