#include "harness/serve/connection_story.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hilmark::serve {
namespace {

using testing::AllOf;
using testing::HasSubstr;

Evidence piece(const std::string& kind, boost::json::object data, std::uint64_t connection = 7) {
  Evidence evidence;
  evidence.source = "endpoint";
  evidence.kind = kind;
  evidence.connection = connection;
  evidence.data = std::move(data);
  return evidence;
}

class AConnectionsStory : public testing::Test {
 protected:
  void SetUp() override {
    EXPECT_FALSE(stories_.add(piece("tcp_accepted", {{"peer", "127.0.0.1:4711"}, {"region", "us-east-1"}})));
    const boost::json::object name{{"type", 0}, {"name", "abc-ats.iot.us-east-1.amazonaws.com"}};
    EXPECT_FALSE(stories_.add(piece("client_hello", {{"server_names", boost::json::array{name}}})));
    EXPECT_FALSE(stories_.add(piece("client_certificates", {{"certificate_id", std::string(64, 'a')}})));
  }
  std::string told(const Evidence& evidence) {
    const auto line = stories_.add(evidence);
    return line ? line->text : "nothing";
  }
  ConnectionStories stories_;
};

TEST_F(AConnectionsStory, says_whose_it_is_when_it_is_served) {
  EXPECT_THAT(told(piece("connack", {{"account", "111111111111"}, {"client_id", "lamp"}, {"mode", "SNI_ONLY"}})),
              AllOf(HasSubstr("#7 127.0.0.1:4711 us-east-1 sni=abc-ats"), HasSubstr("certificate=aaaaaaaaaaaa…"),
                    HasSubstr("account 111111111111"), HasSubstr("SNI_ONLY")));
}

TEST_F(AConnectionsStory, warns_where_only_a_switch_let_it_in) {
  EXPECT_FALSE(stories_.add(piece("routed", {{"account", "111111111111"}, {"event", "routed_by_certificate"}})));
  const auto line = stories_.add(piece("connack", {{"account", "111111111111"}}));
  ASSERT_TRUE(line);
  EXPECT_TRUE(line->bad);
  EXPECT_THAT(line->text, HasSubstr("the service refuses it, routed_by_certificate"));
}

TEST_F(AConnectionsStory, says_why_it_was_refused) {
  const auto line = stories_.add(piece("refused", {{"reason", "sni_unknown"}}));
  ASSERT_TRUE(line);
  EXPECT_TRUE(line->bad);
  EXPECT_THAT(line->text, HasSubstr("refused, sni_unknown"));
  EXPECT_EQ(told(piece("closed", {{"by", "us"}})), "nothing") << "one line a connection that was refused";
}

TEST_F(AConnectionsStory, tells_the_end_of_one_that_was_served) {
  (void)told(piece("connack", {{"account", "111111111111"}, {"client_id", "lamp"}, {"mode", "DEFAULT"}}));
  EXPECT_EQ(told(piece("publish", {})), "nothing");
  EXPECT_THAT(told(piece("closed", {{"by", "peer"}})), AllOf(HasSubstr("by the peer"), HasSubstr("1 messages")));
  EXPECT_EQ(told(piece("closed", {{"by", "peer"}})), "nothing");
}

TEST_F(AConnectionsStory, tells_one_that_ended_without_a_decision) {
  EXPECT_THAT(told(piece("closed", {{"by", "peer"}})), HasSubstr("before anything was decided"));
}

TEST(ConnectionStories, forgets_the_oldest_of_too_many) {
  ConnectionStories stories;
  for (std::uint64_t number = 1; number <= ConnectionStories::max_open + 1; ++number) {
    EXPECT_FALSE(stories.add(piece("tcp_accepted", {}, number)));
  }
  EXPECT_FALSE(stories.add(piece("closed", {{"by", "us"}}, 1)));
  EXPECT_TRUE(stories.add(piece("closed", {{"by", "us"}}, 2)));
}

}  // namespace
}  // namespace hilmark::serve
