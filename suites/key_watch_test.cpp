#include "suites/key_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/base/bytes.h"

namespace hilmark::suites {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

// Made for this test: openssl ecparam -name prime256v1 -genkey.
constexpr std::string_view scalar = "48d3c53b8cf7a64fb05df562302047d0e5c0b65648f88797228dc9ee8d904131";
constexpr std::string_view public_key_id = "64f5226d175bd92473b9fd126f8af6ce2e6d2c32f6d582a7637e210f6539139a";
constexpr std::string_view sec1_first_line = "MHcCAQEEIEjTxTuM96ZPsF31YjAgR9DlwLZWSPiHlyKNye6NkEExoAoGCCqGSM49";
constexpr std::string_view sec1_second_line = "AwEHoUQDQgAEYQ3uHL9GxmdbkKNp/Gfbg05vBDK7HMJhrkkrbXFVTayOhsIElUYR";

class Watch : public testing::Test {
 protected:
  std::string said(std::string_view line) { return watch.console_line(line); }
  void sent(std::string_view text) { watch.heard({"an MQTT packet", 3, as_bytes(text)}); }

  ManualClock clock{std::chrono::system_clock::now()};
  EvidenceLog evidence{clock};
  KeyWatch watch{evidence, clock};
};

TEST_F(Watch, AKeyIsKnownWhateverCameFirst) {
  const std::string text = said(fmt::format("+KEY {}", scalar));
  EXPECT_THAT(text, Not(HasSubstr(std::string(scalar.substr(0, 16)))));
  EXPECT_THAT(text, HasSubstr("public key " + std::string(public_key_id)));
  EXPECT_THAT(watch.leaks(), IsEmpty()) << "nobody has that key";
  watch.add_key(std::string(public_key_id));
  ASSERT_THAT(watch.leaks(), SizeIs(1));
  EXPECT_EQ(watch.leaks()[0].where, "the console");
  EXPECT_TRUE(watch.leaks()[0].of_unit);
  sent(fmt::format("17 {}", scalar));
  sent(fmt::format("18 {}", scalar));
  ASSERT_THAT(watch.leaks(), SizeIs(2)) << "the same again is told once";
  EXPECT_EQ(watch.leaks()[1].where, "an MQTT packet");
  const auto pieces = evidence.all([](const Evidence& piece) { return piece.kind == "private_key"; });
  ASSERT_THAT(pieces, SizeIs(2));
  EXPECT_EQ(pieces[1]->connection, 3U);
}

TEST_F(Watch, AKeyOverSeveralLinesIsFoundAndTakenOut) {
  EXPECT_EQ(said("-----BEGIN EC PRIVATE KEY-----"), "-----BEGIN EC PRIVATE KEY-----");
  for (const std::string_view line : {sec1_first_line, sec1_second_line}) {
    EXPECT_THAT(said(line), Not(HasSubstr(std::string(line.substr(0, 20)))));
  }
  EXPECT_EQ(said("-----END EC PRIVATE KEY-----"), "-----END EC PRIVATE KEY-----");
  EXPECT_EQ(said("+BOOT 0123"), "+BOOT 0123");
  EXPECT_THAT(watch.leaks(), Not(IsEmpty()));
}

TEST_F(Watch, AKeyInTwoHalvesIsFound) {
  watch.add_key(std::string(public_key_id));
  (void)said(scalar.substr(0, 32));
  const std::string text = said(scalar.substr(32));
  EXPECT_THAT(text, Not(HasSubstr(std::string(scalar.substr(40, 16)))));
  EXPECT_THAT(watch.leaks(), SizeIs(1));
}

TEST_F(Watch, WhatAFirmwareSaysOtherwiseStays) {
  for (const char* line : {"+BOOT 0123456789abcdef0123456789abcdef01234567", "OK", "+CONNECTED a.iot.test", "+RETRY 20",
                           "ERR23 INVALID CERTIFICATE for another key than ours"}) {
    EXPECT_EQ(said(line), line);
  }
  EXPECT_EQ(said("\x01"), "\\x01");
  EXPECT_THAT(watch.leaks(), IsEmpty());
  EXPECT_EQ(watch.left_out(), 0U);
}

TEST_F(Watch, AFloodIsNotSearchedForLong) {
  std::string noise(8192, '\0');
  std::uint32_t state = 1;
  for (char& octet : noise) octet = static_cast<char>((state = state * 1664525U + 1013904223U) >> 24U);
  sent(noise);
  const std::uint64_t left_out = watch.left_out();
  EXPECT_GT(left_out, 0U);
  sent(noise);
  EXPECT_GT(watch.left_out(), left_out + 8000) << "the first has used up what there was";
  watch.add_key(std::string(public_key_id));
  sent(fmt::format("17 {}", scalar));
  EXPECT_THAT(watch.leaks(), IsEmpty());
  clock.advance(Milliseconds{1000});
  sent(fmt::format("17 {}", scalar));
  EXPECT_THAT(watch.leaks(), SizeIs(1));
}

TEST_F(Watch, TheLogHandsItsLinesOver) {
  evidence.screen_speech([this](std::string_view line) { return watch.console_line(line); });
  EXPECT_THAT(evidence.speech(fmt::format("k={}", scalar)), Not(HasSubstr(std::string(scalar.substr(0, 16)))));
  evidence.screen_speech({});
  EXPECT_EQ(evidence.speech("\x02ok"), "\\x02ok");
}

}  // namespace
}  // namespace hilmark::suites
