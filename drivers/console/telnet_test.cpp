#include "drivers/console/telnet.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hilmark {
namespace {

using testing::IsEmpty;

constexpr std::uint8_t iac = 255;
constexpr std::uint8_t dont = 254;
constexpr std::uint8_t do_it = 253;
constexpr std::uint8_t wont = 252;
constexpr std::uint8_t will = 251;
constexpr std::uint8_t binary = 0;
constexpr std::uint8_t echo = 1;
constexpr std::uint8_t suppress_go_ahead = 3;

Bytes octets(std::string_view text) { return {text.begin(), text.end()}; }

TEST(Telnet, TextPassesAndADoubledIacIsOne) {
  TelnetFilter filter;
  EXPECT_EQ(filter.feed(Bytes{'O', iac, iac, 'K', '\r', '\n'}).data, (Bytes{'O', iac, 'K', '\r', '\n'}));
  EXPECT_EQ(filter.escaped(Bytes{'a', iac, '\r', '\n'}), (Bytes{'a', iac, iac, '\r', '\n'}));
}

TEST(Telnet, CommandsAndSubnegotiationsAreTakenOutAnOctetAtATime) {
  TelnetFilter filter;
  const Bytes stream{'a', iac, 241, 'b', iac, 250, 24, 'x', iac, iac, 'y', iac, 240, 'c', iac, 246, 'd'};
  Bytes data;
  for (const std::uint8_t octet : stream) {
    const auto step = filter.feed(Bytes{octet});
    data.insert(data.end(), step.data.begin(), step.data.end());
    EXPECT_THAT(step.reply, IsEmpty());
  }
  EXPECT_EQ(data, octets("abcd"));
}

TEST(Telnet, TakesOnBinaryAndSuppressGoAheadOnce) {
  TelnetFilter filter;
  EXPECT_EQ(filter.feed(Bytes{iac, will, suppress_go_ahead, iac, do_it, binary}).reply,
            (Bytes{iac, do_it, suppress_go_ahead, iac, will, binary}));
  EXPECT_THAT(filter.feed(Bytes{iac, will, suppress_go_ahead, iac, do_it, binary}).reply, IsEmpty())
      << "two peers that answer acknowledgements never end";
  EXPECT_EQ(filter.feed(Bytes{iac, wont, suppress_go_ahead}).reply, (Bytes{iac, dont, suppress_go_ahead}));
  EXPECT_THAT(filter.feed(Bytes{iac, wont, suppress_go_ahead}).reply, IsEmpty());
}

TEST(Telnet, RefusesEverythingElse) {
  TelnetFilter filter;
  EXPECT_EQ(filter.feed(Bytes{iac, will, echo, iac, do_it, 24}).reply, (Bytes{iac, dont, echo, iac, wont, 24}));
  EXPECT_THAT(filter.feed(Bytes{iac, wont, echo, iac, dont, 24}).reply, IsEmpty());
}

TEST(Telnet, ABareCrTravelsAsCrNulUnlessBinaryWasAgreed) {
  TelnetFilter filter;
  EXPECT_EQ(filter.escaped(octets("AT\r")), (Bytes{'A', 'T', '\r', 0}));
  EXPECT_EQ(filter.feed(Bytes{'x', '\r', 0, 'y', 0}).data, (Bytes{'x', '\r', 'y', 0}));
  (void)filter.feed(Bytes{iac, do_it, binary, iac, will, binary});
  EXPECT_EQ(filter.escaped(octets("AT\r")), octets("AT\r"));
  EXPECT_EQ(filter.feed(Bytes{'\r', 0}).data, (Bytes{'\r', 0}));
}

}  // namespace
}  // namespace hilmark
