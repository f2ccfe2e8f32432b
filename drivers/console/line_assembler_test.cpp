#include "drivers/console/line_assembler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hilmark {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> texts(LineAssembler& assembler, std::string_view data) {
  std::vector<std::string> result;
  for (const AssembledLine& line : assembler.feed(as_bytes(data))) result.push_back(line.text);
  return result;
}

/// The same, an octet at a time.
std::vector<std::string> texts_by_octet(LineAssembler assembler, std::string_view data) {
  std::vector<std::string> result;
  for (const char octet : data) {
    for (std::string& line : texts(assembler, std::string(1, octet))) result.push_back(std::move(line));
  }
  return result;
}

TEST(LineAssembler, OneOctetAtATimeGivesTheSameLines) {
  LineAssembler assembler(100);
  EXPECT_THAT(texts_by_octet(assembler, "OK\r\n+BOOT x\n\nERR1\n"), ElementsAre("OK", "+BOOT x", "", "ERR1"));
  EXPECT_THAT(texts(assembler, "OK\r\n+BOOT x\n\nERR"), ElementsAre("OK", "+BOOT x", ""));
  EXPECT_THAT(texts(assembler, "1\n"), ElementsAre("ERR1"));
}

TEST(LineAssembler, TakesAllThreeLineEnds) {
  for (const char* stream : {"one\rtwo\r\rthree\r", "one\ntwo\n\nthree\n", "one\r\ntwo\r\n\r\nthree\r\n"}) {
    LineAssembler assembler(100);
    EXPECT_THAT(texts_by_octet(assembler, stream), ElementsAre("one", "two", "", "three")) << printable(stream);
    EXPECT_THAT(texts(assembler, stream), ElementsAre("one", "two", "", "three")) << printable(stream);
  }
}

TEST(LineAssembler, ACrEndsItsLineBeforeItIsKnownWhetherAnLfComes) {
  LineAssembler assembler(100);
  EXPECT_THAT(texts(assembler, "OK\r"), ElementsAre("OK"));
  EXPECT_THAT(texts(assembler, "\nOK 2\r"), ElementsAre("OK 2")) << "the LF belongs to the CR before";
}

TEST(LineAssembler, GarbageIsKeptAsItIs) {
  LineAssembler assembler(100);
  const std::string garbage("\0\xff\x80\x01", 4);
  EXPECT_THAT(texts(assembler, garbage + "\n"), ElementsAre(garbage));
}

TEST(LineAssembler, ControlSequencesAreNoTextAndAreKept) {
  LineAssembler assembler(100);
  const std::string styled =
      "\x1b[1;32mOK\x1b[0m \x1b(B\x1b[2Kdone\x1b"
      "7\x1b[?25h";
  const auto lines = assembler.feed(as_bytes(styled + "\r\n"));
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0].text, "OK done");
  EXPECT_EQ(lines[0].raw, styled);
}

TEST(LineAssembler, WhatAControlStringHoldsIsKeptNowhere) {
  for (const char* end : {"\x07", "\x1b\\"}) {
    LineAssembler assembler(100);
    const auto lines = assembler.feed(as_bytes("a\x1b]0;a title" + std::string(end) + "b\n"));
    ASSERT_EQ(lines.size(), 1U);
    EXPECT_EQ(lines[0].text, "ab");
    EXPECT_EQ(lines[0].raw, "a\x1b]" + std::string(end) + "b");
  }
}

TEST(LineAssembler, NoSequenceReachesOverALineEnd) {
  LineAssembler assembler(100);
  EXPECT_THAT(texts(assembler, "x\x1b[12\nOK\n\x1b]title\nOK\n\x1b\nOK\n\x1bP\x1b\nOK\n"),
              ElementsAre("x", "OK", "", "OK", "", "OK", "", "OK"));
}

TEST(LineAssembler, ABrokenSequenceHidesNothingBehindIt) {
  LineAssembler assembler(100);
  EXPECT_THAT(texts(assembler, "\x1b[12\xffOK\n\x1b[1\x18OK\n\x1b[\x1b[mOK\n\x1b\x80OK\n"),
              ElementsAre("\xffOK", "OK", "OK", "\x80OK"));
}

TEST(LineAssembler, AFloodWithoutLineEndIsBounded) {
  LineAssembler assembler(8);
  for (int round = 0; round < 1000; ++round) EXPECT_THAT(texts(assembler, "abcdefghij"), IsEmpty());
  EXPECT_THAT(texts(assembler, "\nOK\n"), ElementsAre("abcdefgh", "OK"));
  EXPECT_THAT(texts(assembler, "12345678\r\n"), ElementsAre("12345678")) << "the CR does not count";
}

TEST(LineAssembler, AFloodOfControlSequencesIsBounded) {
  LineAssembler assembler(8);
  for (int round = 0; round < 1000; ++round) EXPECT_THAT(texts(assembler, "\x1b[12;34H"), IsEmpty());
  const auto lines = assembler.feed(as_bytes("OK\n"));
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0].text, "OK");
  EXPECT_EQ(lines[0].raw.size(), 8U);
}

TEST(LineAssembler, ThePromptEndsALineAndIsNone) {
  const std::string_view stream = "uart:~$ AT\r\nOKuart:~$ \r\nuart:~$ uart:~$ +BOOT\r\n";
  LineAssembler assembler(100, "uart:~$ ");
  EXPECT_THAT(texts_by_octet(assembler, stream), ElementsAre("AT", "OK", "", "+BOOT"));
  EXPECT_THAT(texts(assembler, stream), ElementsAre("AT", "OK", "", "+BOOT"));
}

TEST(LineAssembler, AShellThatRedrawsItsPromptIsRead) {
  // As Zephyr's shell does: colours, and the prompt erased for a log line.
  LineAssembler assembler(100, "uart:~$ ");
  EXPECT_THAT(texts(assembler, "\x1b[1;32muart:~$ \x1b[m\x1b[8D\x1b[J[00:00:01] main: up\x1b[0m\r\n\x1b[1;32muart:~$ "),
              ElementsAre("[00:00:01] main: up"));
}

}  // namespace
}  // namespace hilmark
