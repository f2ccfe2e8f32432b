#include "drivers/console/console.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hilmark {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const std::string running_build(40, 'a');
const std::string other_build(40, 'b');
/// A shell whose echo answers the bare text, which the line that is typed holds too.
const char* const shell_commands =
    "version: 1\nline_end: \"\\r\"\nprompt: 'uart:~$ '\ncommands:\n  echo: {send: 'echo {text}', expect: "
    "'(nonce-.*)$'}\n"
    "  ping: {send: status, expect: '^state: (.*)$'}\n";

/// A firmware that answers what the script says, at once and on the writing thread.
class ScriptedFirmware {
 public:
  std::vector<std::string> heard;
  std::string before_everything;  ///< said when the port is opened
  bool deaf = false;
  bool echoes = false;         ///< it repeats what is typed, as shells do
  std::string says_after_all;  ///< a prompt
  int ignores = 0;             ///< so many lines get no answer
  std::map<std::string, std::string> answers;
  ConsolePort::Callbacks callbacks;

  void say(const std::string& text) const { callbacks.on_data(as_bytes(text)); }

  ConsoleOpener opener() {
    return [this](ConsolePort::Callbacks given) -> Result<std::unique_ptr<ConsolePort>> {
      callbacks = std::move(given);
      if (!before_everything.empty()) say(before_everything);
      return std::make_unique<Port>(*this);
    };
  }

 private:
  class Port final : public ConsolePort {
   public:
    explicit Port(ScriptedFirmware& firmware) : firmware_(firmware) {}
    Result<void> write(ByteView data, Milliseconds) override {
      firmware_.hear(as_text(data));
      return {};
    }
    [[nodiscard]] std::string device_text() const override { return "0483:5740 serial T1 at port 1-9"; }

   private:
    ScriptedFirmware& firmware_;
  };

  void hear(const std::string& line) {
    heard.push_back(line);
    if (echoes) say(line.substr(0, line.find_first_of("\r\n")) + "\r\n");
    answer(line);
    if (!says_after_all.empty()) say(says_after_all);
  }
  void answer(const std::string& line) {
    if (deaf || ignores-- > 0) return;
    ignores = 0;
    if (const auto found = answers.find(line); found != answers.end()) return say(found->second);
    if (line.starts_with("AT+XECHO ")) return say("OK " + line.substr(9));
    if (line.starts_with("echo ")) return say(line.substr(5) + "\n");
    if (line == "AT+XBUILD?\n") return say("OK " + running_build + "\r\n");
    say("OK\n");
  }
};

class ConsoleTest : public testing::Test {
 protected:
  std::vector<std::string> lines(const std::string& kind = "console_line") const {
    std::vector<std::string> texts;
    for (const auto& piece : evidence.all([&](const Evidence& one) { return one.kind == kind; }))
      texts.push_back(piece->text("text"));
    return texts;
  }
  [[nodiscard]] Deadline in(int milliseconds) const { return {clock, Milliseconds{milliseconds}}; }

  SystemClock clock;
  EvidenceLog evidence{clock};
  ScriptedFirmware firmware;
  Console console{CommandSet::load("boards/commands/expresslink.yaml").value(), clock, evidence};
};

TEST_F(ConsoleTest, WhatWasSaidBeforeTheNonceIsNeverJudged) {
  firmware.before_everything = "+CONNECTED old\nOK " + other_build + "\nOK nonce-00\nOK " + running_build + "\n";
  ASSERT_TRUE(console.open(firmware.opener()));
  const auto proof = console.prove(other_build, in(1000));
  ASSERT_FALSE(proof) << "the earlier firmware's build id was believed";
  EXPECT_EQ(proof.error().kind, ErrorKind::unit);
  EXPECT_THAT(proof.error().message,
              HasSubstr("runs build " + running_build + ", but " + other_build + " was flashed"));
  EXPECT_THAT(lines("console_discarded"), testing::SizeIs(4));
  EXPECT_THAT(lines(), ElementsAre("OK " + running_build)) << "only what came after the nonce";
}

TEST_F(ConsoleTest, TheFlashedBuildIsProved) {
  ASSERT_TRUE(console.open(firmware.opener()));
  EXPECT_TRUE(console.prove(running_build, in(1000)));
}

TEST_F(ConsoleTest, AnEchoOfTheTypedLineIsNoAnswer) {
  // A firmware that repeats its input, and whose "answer" is only that.
  firmware.deaf = true;
  ASSERT_TRUE(console.open(firmware.opener()));
  const auto proof = console.prove(running_build, in(1));
  ASSERT_FALSE(proof);
  firmware.say(firmware.heard.back());
  EXPECT_THAT(lines(), IsEmpty());
}

TEST_F(ConsoleTest, AFirmwareThatEchoesIsUnderstood) {
  firmware.echoes = true;
  firmware.answers["AT\n"] = "OK\r\n";
  ASSERT_TRUE(console.open(firmware.opener()));
  EXPECT_TRUE(console.prove(running_build, in(1000)));
  EXPECT_TRUE(console.say("ping"));
  EXPECT_THAT(lines(), ElementsAre("OK " + running_build, "OK")) << "an echo is nothing that the firmware said";
  EXPECT_THAT(lines("console_echo"), ElementsAre(testing::StartsWith("AT+XECHO nonce-"), "AT+XBUILD?", "AT"));
}

TEST_F(ConsoleTest, AnEchoThatLooksLikeTheAnswerIsNone) {
  Console loose(CommandSet::parse(shell_commands, "x.yaml").value(), clock, evidence);
  firmware.echoes = true;
  firmware.deaf = true;
  ASSERT_TRUE(loose.open(firmware.opener()));
  EXPECT_FALSE(loose.synchronise(in(1))) << "the typed line was taken for the firmware's answer to it";
}

TEST_F(ConsoleTest, AShellWithPromptAndColoursIsUnderstood) {
  Console shell(CommandSet::parse(shell_commands, "x.yaml").value(), clock, evidence);
  firmware.echoes = true;
  firmware.says_after_all = "\x1b[1;32muart:~$ \x1b[m";
  firmware.before_everything = firmware.says_after_all;
  firmware.answers["status\r"] = "\x1b[31mstate: idle\x1b[0m";  // ended by the prompt alone
  ASSERT_TRUE(shell.open(firmware.opener()));
  const auto state = shell.say("ping");
  ASSERT_TRUE(state) << state.error().message;
  EXPECT_EQ(*state, "idle");
  const auto styled = evidence.all([](const Evidence& one) { return one.text("text") == "state: idle"; });
  ASSERT_EQ(styled.size(), 1U);
  EXPECT_THAT(styled[0]->text("raw"), HasSubstr("\\x1b[31mstate: idle\\x1b[0m")) << "what came is kept as it came";
}

TEST_F(ConsoleTest, WhereTheScreenTakesAKeyOutNothingElseOfTheLineIsKept) {
  evidence.screen_speech(
      [](std::string_view said) { return said == "the key" ? std::string("(removed)") : printable(said); });
  ASSERT_TRUE(console.open(firmware.opener()));
  firmware.say("the \x1b[1mkey\n");
  const auto all = evidence.all([](const Evidence& one) { return one.kind == "console_discarded"; });
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0]->text("text"), "(removed)");
  EXPECT_EQ(all[0]->text("raw"), "");
  evidence.screen_speech({});
}

TEST_F(ConsoleTest, SilenceIsATimeoutThatSaysSo) {
  firmware.deaf = true;
  ASSERT_TRUE(console.open(firmware.opener()));
  const auto proof = console.prove(running_build, in(20));
  ASSERT_FALSE(proof);
  EXPECT_EQ(proof.error().kind, ErrorKind::timeout);
  EXPECT_THAT(proof.error().message, HasSubstr("said nothing at all"));
  EXPECT_THAT(proof.error().message, HasSubstr("0483:5740 serial T1 at port 1-9"));
}

TEST_F(ConsoleTest, ANonceLostInHalfALineIsSentAnew) {
  firmware.ignores = 1;
  ASSERT_TRUE(console.open(firmware.opener()));
  EXPECT_TRUE(console.synchronise(in(5000)));
  EXPECT_THAT(firmware.heard, testing::SizeIs(2));
}

TEST_F(ConsoleTest, UnaskedLinesAreEvidenceAndNoAnswers) {
  firmware.answers["AT\n"] = "+CONNECTED x\nsome log line\nOK\n";
  ASSERT_TRUE(console.open(firmware.opener()));
  EXPECT_TRUE(console.say("ping"));
  EXPECT_THAT(lines(), ElementsAre("+CONNECTED x", "some log line", "OK"));
}

TEST_F(ConsoleTest, ARefusalIsToldAsFarAsItMayBe) {
  evidence.screen_speech([](std::string_view said) {
    return said.find("secret") == std::string_view::npos ? std::string(said) : std::string("ERR … [private key]");
  });
  firmware.answers["AT+XCSR?\n"] = "ERR5 cannot use secret\n";
  ASSERT_TRUE(console.open(firmware.opener()));
  const auto csr = console.say("csr");
  evidence.screen_speech({});
  ASSERT_FALSE(csr);
  EXPECT_EQ(csr.error().kind, ErrorKind::unit);
  EXPECT_THAT(csr.error().message, testing::AllOf(HasSubstr("[private key]"), testing::Not(HasSubstr("secret"))));
}

TEST_F(ConsoleTest, ARefusalIsTheUnitsAndQuotesIt) {
  firmware.answers["AT+CONF Endpoint=x\n"] = "ERR7 no \x02\n";
  ASSERT_TRUE(console.open(firmware.opener()));
  const auto answer = console.say("endpoint", {{"value", "x"}});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().kind, ErrorKind::unit);
  EXPECT_THAT(answer.error().message, HasSubstr("refused AT+CONF Endpoint={value}: ERR7 no \\x02"));
}

TEST_F(ConsoleTest, ALateAnswerIsNotTakenForTheNextCommands) {
  const auto set = CommandSet::parse(
      "version: 1\ntimeout_ms: 20\ncommands:\n  echo: {send: 'AT+XECHO {text}', expect: '^OK (.*)$'}\n"
      "  ping: {send: AT, expect: '^OK$'}\n  reset: {send: AT+RESET, expect: '^OK$'}\n",
      "x.yaml");
  Console impatient(set.value(), clock, evidence);
  ASSERT_TRUE(impatient.open(firmware.opener()));
  ASSERT_TRUE(impatient.synchronise(in(1000)));
  firmware.ignores = 1;
  EXPECT_EQ(impatient.say("ping").error().kind, ErrorKind::timeout);
  firmware.say("OK\n");
  firmware.answers["AT+RESET\n"] = "ERR1\n";
  EXPECT_EQ(impatient.say("reset").error().kind, ErrorKind::timeout)
      << "ERR1 is no refusal in this set, and the OK was late";
}

TEST_F(ConsoleTest, ADeadlineIsForSynchronisingAndAnsweringTogether) {
  const SteadyTime start = clock.now();
  ASSERT_TRUE(console.open(firmware.opener()));
  firmware.deaf = true;
  const Deadline deadline = in(60);
  const auto mute = console.say("ping", {}, deadline);
  ASSERT_FALSE(mute);
  EXPECT_EQ(mute.error().kind, ErrorKind::timeout);
  EXPECT_THAT(mute.error().message, HasSubstr("did not echo a nonce within 60 ms"));
  firmware.deaf = false;
  ASSERT_TRUE(console.synchronise(in(1000)));
  firmware.deaf = true;
  const auto late = console.say("ping", {}, deadline);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().kind, ErrorKind::timeout);
  EXPECT_THAT(late.error().message, HasSubstr("did not answer AT within 60 ms")) << "the span that was declared";
  EXPECT_LT(clock.now() - start, Milliseconds{2000}) << "no wait had a limit of its own";
}

TEST_F(ConsoleTest, APortThatClosesEndsTheWaitAtOnceAsTheRigsTrouble) {
  ASSERT_TRUE(console.open(firmware.opener()));
  ASSERT_TRUE(console.synchronise(in(1000)));
  firmware.deaf = true;
  firmware.callbacks.on_closed({ErrorKind::rig, "0483:5740 has left the bus"});
  const SteadyTime start = clock.now();
  const auto answer = console.say("ping");
  EXPECT_EQ(answer.error().kind, ErrorKind::rig);
  EXPECT_THAT(answer.error().message, HasSubstr("left the bus"));
  EXPECT_LT(clock.now() - start, Milliseconds{1000});
  EXPECT_FALSE(console.is_open());
  EXPECT_TRUE(console.say_last("reset")) << "a board that resets at once has no time to answer";
}

TEST_F(ConsoleTest, WhatTheUnitEndedItByIsToldUntilItIsClosed) {
  ASSERT_TRUE(console.open(firmware.opener()));
  EXPECT_FALSE(console.fault());
  firmware.callbacks.on_closed({ErrorKind::rig, "0483:5740 has left the bus"});
  EXPECT_FALSE(console.fault()) << "to be unplugged is no fault of the unit's";
  ASSERT_TRUE(console.open(firmware.opener()));
  firmware.callbacks.on_closed({ErrorKind::unit, "0483:5740 refused the request (stall)"});
  ASSERT_TRUE(console.fault());
  EXPECT_THAT(console.fault()->message, HasSubstr("stall"));
  console.close();
  EXPECT_FALSE(console.fault());
}

TEST_F(ConsoleTest, OpenedAnewNothingOfBeforeIsBelieved) {
  ASSERT_TRUE(console.open(firmware.opener()));
  ASSERT_TRUE(console.say("ping"));
  ASSERT_TRUE(console.open(firmware.opener()));
  firmware.say("+CONNECTED y\n");
  EXPECT_THAT(lines("console_discarded"), ElementsAre("+CONNECTED y"));
  EXPECT_EQ(console.lines_heard(), 1U);
}

TEST_F(ConsoleTest, AConsoleThatWasNeverOpenedSaysSo) {
  EXPECT_THAT(console.say("ping").error().message, HasSubstr("not open"));
}

}  // namespace
}  // namespace hilmark
