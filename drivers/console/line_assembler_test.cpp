#include "drivers/console/line_assembler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hilmark {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(LineAssembler, OneOctetAtATimeGivesTheSameLines) {
  LineAssembler assembler(100);
  std::vector<std::string> lines;
  for (const char octet : std::string("OK\r\n+BOOT x\n\nERR")) {
    for (auto& line : assembler.feed(as_bytes(std::string(1, octet)))) lines.push_back(line);
  }
  EXPECT_THAT(lines, ElementsAre("OK", "+BOOT x", ""));
  EXPECT_THAT(assembler.feed(as_bytes("1\n")), ElementsAre("ERR1"));
}

TEST(LineAssembler, GarbageIsKeptAsItIs) {
  LineAssembler assembler(100);
  const std::string garbage("\0\xff\r\x1b[2J", 7);
  EXPECT_THAT(assembler.feed(as_bytes(garbage + "\n")), ElementsAre(garbage));
}

TEST(LineAssembler, AFloodWithoutLineEndIsBounded) {
  LineAssembler assembler(8);
  for (int round = 0; round < 1000; ++round) EXPECT_THAT(assembler.feed(as_bytes("abcdefghij")), IsEmpty());
  EXPECT_THAT(assembler.feed(as_bytes("\nOK\n")), ElementsAre("abcdefgh", "OK"));
  EXPECT_THAT(assembler.feed(as_bytes("12345678\r\n")), ElementsAre("12345678")) << "the CR does not count";
}

}  // namespace
}  // namespace hilmark
