#include "harness/serve/serve_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/base/bytes.h"
#include "harness/base/temporary_folder.h"

namespace hilmark::serve {
namespace {

using testing::HasSubstr;

class ServeConfigFile : public testing::Test {
 protected:
  Result<ServeConfig> read(const std::string& text) {
    const auto file = folder_.path() / "cloud.yaml";
    EXPECT_TRUE(write_file(file, text, 0600));
    return read_serve_config(file);
  }
  std::string fault_of(const std::string& text) {
    const auto config = read(text);
    return config ? "no fault" : config.error().message;
  }
  TemporaryFolder folder_ = std::move(TemporaryFolder::make().value());
};

TEST_F(ServeConfigFile, says_accounts_regions_names_and_rules) {
  const auto config = read(R"(version: 1
accounts:
  - {id: "333333333333", access_key: dev, secret_key: s3cret, names: {eu-west-1: things.example.com}}
regions: [eu-west-1]
addresses: {eu-west-1: 127.0.0.7}
rules: {sni: lenient, refuse: alert, rate_limits: on}
jitr_hook: [./activate.sh, --now]
)");
  ASSERT_TRUE(config) << config.error().message;
  ASSERT_EQ(config->accounts.size(), 1U);
  EXPECT_EQ(config->accounts[0].names.at("eu-west-1"), "things.example.com");
  EXPECT_EQ(config->addresses.at("eu-west-1"), "127.0.0.7");
  EXPECT_TRUE(config->lenient && config->refuse_by_alert && config->rate_limits);
  EXPECT_EQ(config->jitr_hook.size(), 2U);
}

TEST_F(ServeConfigFile, leaves_the_usual_where_it_is_silent) {
  const auto config = read("version: 1\n");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->accounts.size(), 2U);
  EXPECT_EQ(config->regions.front(), "us-east-1");
  EXPECT_FALSE(config->lenient);
}

TEST_F(ServeConfigFile, tells_each_fault_with_its_line) {
  EXPECT_THAT(fault_of("version: 1\naccounts:\n  - {id: \"12\", access_key: a, secret_key: b}\n"),
              HasSubstr("cloud.yaml:3"));
  EXPECT_THAT(fault_of("version: 1\nregions: [mars]\n"), HasSubstr("us-east-1"));
  EXPECT_THAT(fault_of("version: 1\nrules: {sni: maybe}\n"), HasSubstr("strict, lenient or route-by-certificate"));
  EXPECT_THAT(fault_of("version: 1\nrules: {refuse: [x]}\n"), HasSubstr("refuse"));
  EXPECT_THAT(fault_of("version: 1\nacounts: []\n"), HasSubstr("acounts"));
  EXPECT_THAT(fault_of("version: 1\naddresses: {us-east-1: localhost}\n"), HasSubstr("IPv4"));
  EXPECT_THAT(fault_of("version: 2\n"), HasSubstr("version"));
}

TEST_F(ServeConfigFile, does_not_take_two_accounts_with_one_key) {
  EXPECT_THAT(fault_of(R"(version: 1
accounts:
  - {id: "333333333333", access_key: dev, secret_key: a}
  - {id: "444444444444", access_key: dev, secret_key: b}
)"),
              HasSubstr("each access key once"));
}

}  // namespace
}  // namespace hilmark::serve
