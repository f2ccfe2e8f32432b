#include "harness/serve/serve_addresses.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hilmark::serve {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

TEST(AddressesOfRegions, FollowOneAnotherOnTheLoopback) {
  const auto planned = plan_addresses(ServeConfig::usual(), "127.0.0.1");
  ASSERT_TRUE(planned);
  EXPECT_THAT(*planned, ElementsAre(Pair("eu-west-1", "127.0.0.2"), Pair("us-east-1", "127.0.0.1")));
}

TEST(AddressesOfRegions, AreThoseConfigured) {
  ServeConfig config = ServeConfig::usual();
  config.addresses = {{"eu-west-1", "192.0.2.9"}};
  const auto planned = plan_addresses(config, "192.0.2.1");
  ASSERT_TRUE(planned) << planned.error().message;
  EXPECT_THAT(*planned, ElementsAre(Pair("eu-west-1", "192.0.2.9"), Pair("us-east-1", "192.0.2.1")));
}

TEST(AddressesOfRegions, AreNeverGuessedOffTheLoopback) {
  EXPECT_THAT(plan_addresses(ServeConfig::usual(), "192.0.2.1").error().message, HasSubstr("eu-west-1"));
}

TEST(AddressesOfRegions, AreNotShared) {
  ServeConfig config = ServeConfig::usual();
  config.addresses = {{"eu-west-1", "127.0.0.1"}};
  EXPECT_THAT(plan_addresses(config, "127.0.0.1").error().message, HasSubstr("both listen on 127.0.0.1"));
}

TEST(AddressesOfRegions, AreIpv4) {
  for (const char* listen : {"", "localhost", "::1", "127.0.0", "999.0.0.1"}) {
    EXPECT_FALSE(plan_addresses(ServeConfig::usual(), listen)) << listen;
  }
}

}  // namespace
}  // namespace hilmark::serve
