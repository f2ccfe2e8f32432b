#include "suites/attempts.h"

#include <gmock/gmock.h>

namespace hilmark::suites {
namespace {

EvidencePtr attempt_at(int ms) {
  auto piece = std::make_shared<Evidence>();
  piece->at = SteadyTime(Milliseconds{ms});
  return piece;
}

std::vector<EvidencePtr> attempts_at(std::initializer_list<int> times) {
  std::vector<EvidencePtr> attempts;
  for (const int ms : times) attempts.push_back(attempt_at(ms));
  return attempts;
}

TEST(LongestInterval, IsThatOfTheLastOnes) {
  EXPECT_EQ(longest_interval(attempts_at({0, 900, 1000, 1400, 1450}), 3), Milliseconds{400});
  EXPECT_EQ(longest_interval(attempts_at({0, 900, 1000, 1400, 1450}), 4), Milliseconds{900});
  EXPECT_EQ(longest_interval(attempts_at({0, 900}), 8), Milliseconds{900}) << "there may be fewer";
}

TEST(LongestInterval, NeedsTwoAttempts) {
  EXPECT_EQ(longest_interval({}, 8), std::nullopt);
  EXPECT_EQ(longest_interval(attempts_at({5}), 8), std::nullopt);
}

EvidencePtr seen(std::uint64_t number, const char* kind, std::uint64_t connection) {
  auto piece = std::make_shared<Evidence>();
  piece->number = number;
  piece->kind = kind;
  piece->connection = connection;
  return piece;
}

TEST(HasEnded, IsClosedOrToldWhatClosesIt) {
  const EvidencePtr connack = seen(1, "connack", 7);
  const auto denied = [](const char* answer) {
    auto piece = std::make_shared<Evidence>(*seen(2, "mqtt_denied", 7));
    piece->data["answer"] = answer;
    return piece;
  };
  EXPECT_FALSE(has_ended(*connack, {connack, seen(2, "closed", 6)}));
  EXPECT_TRUE(has_ended(*connack, {connack, seen(2, "closed", 7)}));
  EXPECT_TRUE(has_ended(*connack, {connack, denied("close")}));
  EXPECT_FALSE(has_ended(*connack, {connack, denied("puback_0x87")})) << "MQTT 5 keeps it";
}

TEST(ServedAfter, TheConnectionThatMetTheFaultIsNoProof) {
  const EvidencePtr connack = seen(1, "connack", 7);
  const EvidencePtr met = seen(2, "deviation", 7);
  EXPECT_FALSE(is_served_after(*met, {connack, met}));
  EXPECT_FALSE(is_served_after(*met, {connack, met, seen(3, "closed", 7)}));
  EXPECT_TRUE(is_served_after(*met, {connack, met, seen(3, "closed", 7), seen(4, "connack", 8)}));
}

TEST(ServedAfter, ALaterOneIsUntilItEndsWhateverIsToldOfTheFormerOne) {
  const EvidencePtr met = seen(2, "closed", 7);
  EXPECT_TRUE(is_served_after(*met, {seen(1, "connack", 8), met})) << "its end may be told after the next has begun";
  EXPECT_FALSE(is_served_after(*met, {met, seen(3, "connack", 8), seen(4, "closed", 8)}));
}

TEST(ServedAfter, AFaultThatPassedItByCountsAsSurvived) {
  const EvidencePtr connack = seen(3, "connack", 8);
  EXPECT_TRUE(is_served_after(*connack, {connack}));
}

TEST(ServedAfter, AnAnswerOfDnsIsMetByNoConnection) {
  const EvidencePtr answer = seen(5, "dns_answer", 0);
  EXPECT_FALSE(is_served_after(*answer, {seen(3, "connack", 8), answer}));
  EXPECT_TRUE(is_served_after(*answer, {answer, seen(6, "connack", 9)}));
}

}  // namespace
}  // namespace hilmark::suites
