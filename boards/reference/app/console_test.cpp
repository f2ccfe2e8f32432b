#include "app/console.h"

#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "app/escapes.h"
#include "tests/fake_port.h"

namespace {

using namespace std::string_literals;

std::string decoded(std::string text) { return escapes_decode(text.data()) ? std::string(text.c_str()) : "refused"; }

TEST(Escapes, CarryLineEndsAndTheBackslash) {
  EXPECT_EQ(decoded("a\\Ab\\Dc\\\\d"), "a\nb\rc\\d");
  EXPECT_EQ(decoded("\\\\A"), "\\A");
  EXPECT_EQ(decoded(""), "");
  char encoded[2];
  EXPECT_EQ(escapes_encode('\n', encoded), 2U);
  EXPECT_EQ(std::string(encoded, 2), "\\A");
  EXPECT_EQ(escapes_encode('x', encoded), 1U);
}

TEST(Escapes, NoOthersAreKnown) {
  for (const char* bad : {"\\", "a\\", "\\a", "\\d", "\\n", "\\ ", "\\\\\\"}) EXPECT_EQ(decoded(bad), "refused") << bad;
}

class Console : public testing::Test {
 protected:
  Console() { console_init(console_.get(), &port_); }

  // The next line, or in angle brackets what there is instead.
  std::string take() {
    char* line = nullptr;
    switch (console_take_line(console_.get(), &line)) {
      case CONSOLE_NONE:
        return "<none>";
      case CONSOLE_LINE:
        return line;
      case CONSOLE_TOO_LONG:
        return "<too long>";
      case CONSOLE_NOT_TEXT:
        return "<not text>";
    }
    return "<?>";
  }

  std::string said() {
    console_pump(console_.get());
    return std::exchange(port_.output, "");
  }

  port_console port_;
  std::unique_ptr<console> console_ = std::make_unique<console>();
};

TEST_F(Console, TakesLinesByteByByte) {
  std::string taken;
  for (const char next : "AT\r\nAT+XECHO x\r\r\n\n\xff\n"s) {
    port_.input.push_back(next);
    const std::string line = take();
    if (line != "<none>") taken += "[" + line + "]";
  }
  EXPECT_EQ(taken, "[AT][AT+XECHO x\r][][\xff]");
}

TEST_F(Console, TakesSeveralLinesOfOneRead) {
  port_.input = "one\ntwo\nthr";
  EXPECT_EQ(take(), "one");
  EXPECT_EQ(take(), "two");
  EXPECT_EQ(take(), "<none>");
  port_.input = "ee\n";
  EXPECT_EQ(take(), "three");
}

TEST_F(Console, TheLongestLineIsTakenAndNoLonger) {
  const std::string longest(CONSOLE_LINE_BYTES, 'x');
  port_.input = longest + "\n" + longest + "\r\n" + longest + "y\n" + longest + "y\r\n" + longest + longest + "\nAT\n";
  std::vector<std::string> taken;
  while (taken.size() < 6) {
    const std::string line = take();
    if (line != "<none>") taken.push_back(line.size() > 20 ? std::to_string(line.size()) : line);
  }
  EXPECT_EQ(taken, (std::vector<std::string>{"16383", "16383", "<too long>", "<too long>", "<too long>", "AT"}));
}

TEST_F(Console, ALineThatNeverEndsDoesNotKeepIt) {
  port_.input = std::string(1000000, 'x');
  EXPECT_EQ(take(), "<none>");
  EXPECT_GT(port_.input.size(), 900000U);
}

TEST_F(Console, ANulIsNoText) {
  port_.input = "A\0T\n"s;
  EXPECT_EQ(take(), "<not text>");
}

TEST_F(Console, AnswersAreOneLine) {
  console_answer_ok(console_.get());
  console_answer_value(console_.get(), "a\nb");
  console_answer_error(console_.get(), 4, "PARAMETER ERROR");
  console_answer_error(console_.get(), 92, "no\nmore");
  console_tell(console_.get(), "BOOT", "");
  EXPECT_EQ(said(), "OK\nOK a\\Ab\nERR4 PARAMETER ERROR\nERR92 no\\Amore\n+BOOT\n");
}

TEST_F(Console, UnaskedLinesAreLeftOutBeforeAnAnswerIs) {
  const std::string text(1000, 'x');
  for (int i = 0; i < 100; i++) console_tell(console_.get(), "RETRY", text.c_str());
  EXPECT_TRUE(console_has_room(console_.get()));
  const std::string longest(CONSOLE_LINE_BYTES - 3, 'y');
  console_answer_value(console_.get(), longest.c_str());
  EXPECT_FALSE(console_has_room(console_.get()));
  const std::string all = said();
  EXPECT_EQ(std::count(all.begin(), all.end(), '\n'), 5);
  EXPECT_EQ(all.substr(all.size() - longest.size() - 4), "OK " + longest + "\n");
  console_answer_value(console_.get(), (longest + "y").c_str());
  EXPECT_EQ(said().substr(0, 14), "ERR1 OVERFLOW ");
}

}  // namespace
