#include "drivers/console/command_port.h"

#include <csignal>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "drivers/console/port_testing.h"

namespace hilmark {
namespace {

using testing::HasSubstr;

class CommandPortTest : public testing::Test {
 protected:
  void run(const std::string& script) {
    auto opened = CommandPort::open({"sh", "-c", script}, listener.callbacks());
    ASSERT_TRUE(opened) << opened.error().message;
    port = std::move(*opened);
  }
  std::string end() {
    const auto how = listener.ended();
    return how ? how->message : "it did not end";
  }

  PortListener listener;
  std::unique_ptr<ConsolePort> port;
};

TEST_F(CommandPortTest, CarriesAThousandLinesBothWays) {
  run("exec cat");
  std::string sent;
  for (int line = 0; line < 1000; ++line) {
    const std::string text = fmt::format("line {}\n", line);
    ASSERT_TRUE(port->write(as_bytes(text), Milliseconds{5000}));
    sent += text;
  }
  EXPECT_EQ(listener.heard(sent.size()), sent);
  EXPECT_EQ(listener.ends(), 0);
}

TEST_F(CommandPortTest, TellsHowItEndedWithItsLastWords) {
  run("echo hello; echo no such board >&2; exit 3");
  EXPECT_EQ(end(), "the console program sh ended with exit status 3: no such board");
  EXPECT_EQ(listener.heard(6), "hello\n") << "what it said before its end is not lost";
  EXPECT_EQ(listener.ended()->kind, ErrorKind::rig);
  EXPECT_FALSE(port->write(as_bytes("x"), Milliseconds{5000}));
}

TEST_F(CommandPortTest, TellsTheSignal) {
  run("kill -9 $$");
  EXPECT_THAT(end(), HasSubstr("ended with signal 9"));
}

TEST_F(CommandPortTest, AnHeirThatHoldsTheOutputDoesNotHideTheEnd) {
  run("echo last; sleep 1000 & exit 0");
  EXPECT_THAT(end(), HasSubstr("ended with exit status 0"));
  EXPECT_EQ(listener.heard(5), "last\n");
}

TEST_F(CommandPortTest, AProgramThatClosesItsOutputHasEndedAsAConsole) {
  run("read go; exec <&- >&-; kill -STOP $$");
  ASSERT_TRUE(port->write(as_bytes("go\n"), Milliseconds{5000}));
  EXPECT_THAT(end(), HasSubstr("closed its output, and runs on"));
}

TEST_F(CommandPortTest, ItsStandardErrorIsNoConsole) {
  run("echo noise >&2; echo voice; read end");
  EXPECT_EQ(listener.heard(6), "voice\n");
}

TEST_F(CommandPortTest, AProgramThatDoesNotReadTimesOutAndStopsNobody) {
  run("trap '' TERM; echo $$; sleep 1000");
  const std::string pid = listener.heard(2);
  const Bytes much(4U << 20, 'x');
  const auto written = port->write(much, Milliseconds{100});
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().kind, ErrorKind::timeout);
  EXPECT_THAT(written.error().message, HasSubstr("took not all of 4194304 octets within 100 ms"));
  port.reset();
  EXPECT_NE(::kill(std::stoi(pid), 0), 0) << "it ignored SIGTERM and outlived its port";
}

TEST_F(CommandPortTest, ClosingIsNoEndThatIsTold) {
  run("exec cat");
  port.reset();
  EXPECT_EQ(listener.ends(), 0);
}

TEST_F(CommandPortTest, AMissingProgramIsNamed) {
  const auto opened = CommandPort::open({"no-such-terminal"}, listener.callbacks());
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().kind, ErrorKind::usage);
  EXPECT_THAT(opened.error().message, HasSubstr("no-such-terminal"));
}

}  // namespace
}  // namespace hilmark
