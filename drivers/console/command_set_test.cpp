#include "drivers/console/command_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hilmark {
namespace {

using testing::HasSubstr;
using Kind = CommandMatch::Kind;

CommandSet expresslink() { return CommandSet::load("boards/commands/expresslink.yaml").value(); }

TEST(CommandSet, ExpressLinkHasAllVerbsOfABoardThatMakesItsOwnKey) {
  const CommandSet set = expresslink();
  for (const char* verb :
       {"ping", "echo", "build_id", "keygen", "csr", "client_id", "trust_anchor", "certificate", "endpoint",
        "connect_address", "resolver", "port", "topic", "setting", "connect", "disconnect", "reset", "bootloader"}) {
    EXPECT_TRUE(set.has(verb)) << verb;
  }
  EXPECT_FALSE(set.has("private_key"));
  EXPECT_EQ(set.render("private_key", {{"value", "x"}}).error().kind, ErrorKind::usage);
}

TEST(CommandSet, ArgumentsAreEscapedAndAnswersUnescaped) {
  const CommandSet set = expresslink();
  const auto command = set.render("certificate", {{"value", "a\\b\r\nc"}});
  ASSERT_TRUE(command);
  EXPECT_EQ(command->line, "AT+CONF Certificate=a\\\\b\\D\\Ac\n");
  EXPECT_EQ(command->shown, "AT+CONF Certificate={value}") << "what is shown holds no argument";
  EXPECT_EQ(set.match("echo", "OK a\\\\b\\D\\Ac").value, "a\\b\r\nc");
  EXPECT_EQ(set.match("echo", "OK \\\\A").value, "\\A") << "an escaped backslash before an A is no line feed";
  EXPECT_EQ(set.match("csr", "OK -----BEGIN CERTIFICATE REQUEST-----\\AMII").value,
            "-----BEGIN CERTIFICATE REQUEST-----\nMII");
}

TEST(CommandSet, BracesInAnArgumentAreNoPlaceholders) {
  EXPECT_EQ(expresslink().render("setting", {{"key", "{value}"}, {"value", "1"}})->line, "AT+XCONF {value}=1\n");
}

TEST(CommandSet, TellsAnswersRefusalsAndOtherTalkApart) {
  const CommandSet set = expresslink();
  EXPECT_EQ(set.match("ping", "OK").kind, Kind::answer);
  EXPECT_EQ(set.match("ping", "OK 1").kind, Kind::none);
  EXPECT_EQ(set.match("ping", "ERR4 parameter error").kind, Kind::refusal);
  EXPECT_EQ(set.match("build_id", "OK 123").kind, Kind::none);
  EXPECT_EQ(set.match("build_id", "OK " + std::string(40, 'a')).value, std::string(40, 'a'));
  EXPECT_TRUE(set.is_unsolicited("+CONNECTED x"));
  EXPECT_FALSE(set.is_unsolicited("OK"));
}

TEST(CommandSet, ALineAsLongAsAConsoleAllowsIsMatched) {
  EXPECT_EQ(expresslink().match("echo", "OK " + std::string(20'000, 'x')).value.size(), 20'000U);
}

TEST(CommandSet, WithoutANamedGroupTheFirstIsTheValue) {
  const auto set =
      CommandSet::parse("version: 1\ncommands:\n  echo: {send: 'e {text}', expect: '^(.*) ok$'}\n", "x.yaml");
  ASSERT_TRUE(set) << set.error().message;
  EXPECT_EQ(set->match("echo", "hello ok").value, "hello");
  EXPECT_FALSE(set->is_unsolicited("+X")) << "no pattern, nothing unsolicited";
}

TEST(CommandSet, ALineBreakThatNothingEscapesIsNeverSent) {
  const auto set = CommandSet::parse("version: 1\ncommands:\n  echo: {send: 'e {text}', expect: '(.*)'}\n", "x.yaml");
  EXPECT_THAT(set->render("echo", {{"text", "a\nreset"}}).error().message, HasSubstr("line break"));
}

TEST(CommandSet, EveryMistakeIsToldWithFileAndLine) {
  const std::string echo = "  echo: {send: 'e {text}', expect: '(.*)'}\n";
  const struct {
    std::string text;
    const char* says;
  } rows[] = {
      {"", "x.yaml:1: a command set must be a map"},
      {"- 1", "x.yaml:1: a command set must be a map"},
      {"version: [", "x.yaml:1: "},
      {"version: 1\n", "x.yaml:1: a command set needs 'commands'"},
      {"version: 2\ncommands:\n" + echo, "x.yaml:1: version must be 1"},
      {"version: 1\nspeed: 3\ncommands:\n" + echo, "x.yaml:2: unknown key 'speed'"},
      {"version: 1\nversion: 1\ncommands:\n" + echo, "x.yaml:2: key 'version' stands twice"},
      {"version: 1\ncommands:\n  ping: {send: AT, expect: OK}\n", "x.yaml:3: commands need 'echo'"},
      {"version: 1\ncommands:\n" + echo + echo, "x.yaml:4: key 'echo' stands twice in commands"},
      {"version: 1\ncommands:\n" + echo + "  sing: {send: a, expect: b}\n",
       "x.yaml:4: unknown key 'sing' in commands; expected bootloader, "},
      {"version: 1\ncommands:\n" + echo + "  ping: {sned: a, expect: b}\n",
       "x.yaml:4: unknown key 'sned' in ping; expected send, expect"},
      {"version: 1\ncommands:\n" + echo + "  ping: {send: a}\n", "x.yaml:4: ping has no 'expect'"},
      {"version: 1\ncommands:\n" + echo + "  ping: {send: a, expect: '('}\n",
       "x.yaml:4: expect is no regular expression"},
      {"version: 1\ncommands:\n" + echo + "  ping: {send: 'a {x}', expect: b}\n",
       "x.yaml:4: ping has no argument {x}; it has none"},
      {"version: 1\ncommands:\n" + echo + "  port: {send: 'a', expect: b}\n",
       "x.yaml:4: send of port must hold {value}"},
      {"version: 1\ncommands:\n" + echo + "  port: {send: 'a {value', expect: b}\n",
       "x.yaml:4: a brace in send is not paired"},
      {"version: 1\ncommands:\n" + echo + "  ping: {send: a, expect: b, timeout_ms: soon}\n",
       "x.yaml:4: timeout_ms must be a number"},
      {"version: 1\ntimeout_ms: 0\ncommands:\n" + echo, "x.yaml:2: timeout_ms must be a number from 1"},
      {"version: 1\nescapes: {a: ''}\ncommands:\n" + echo, "x.yaml:2: an escape must not be empty"},
      {"version: 1\nescapes: [a]\ncommands:\n" + echo, "x.yaml:2: escapes must be a map"},
  };
  for (const auto& row : rows) {
    const auto set = CommandSet::parse(row.text, "x.yaml");
    ASSERT_FALSE(set) << row.text;
    EXPECT_EQ(set.error().kind, ErrorKind::usage);
    EXPECT_THAT(set.error().message, HasSubstr(row.says)) << row.text;
  }
  EXPECT_EQ(CommandSet::load("boards/commands/none.yaml").error().kind, ErrorKind::usage);
}

}  // namespace
}  // namespace hilmark
