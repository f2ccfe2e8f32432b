#include "app/settings.h"

#include <set>
#include <string>

#include <gtest/gtest.h>

namespace {

class Settings : public testing::Test {
 protected:
  Settings() { settings_set_defaults(&settings_); }

  bool assign(setting_kind kind, const char* name, const std::string& value) {
    const setting_key* key = setting_by_name(kind, name);
    return key != nullptr && setting_assign(key, &settings_, value.c_str());
  }
  bool endpoint(const std::string& value) { return assign(SETTING_CONF, "Endpoint", value); }
  bool port(const std::string& value) { return assign(SETTING_XCONF, "Port", value); }

  settings settings_;
};

TEST_F(Settings, DefaultsAreThoseOfTheContract) {
  EXPECT_STREQ(settings_.thing_name, "hilmark-unset");
  EXPECT_EQ(settings_.port, 8883U);
  EXPECT_EQ(settings_.keep_alive_s, 60U);
  EXPECT_EQ(settings_.backoff_base_ms, 500U);
  EXPECT_EQ(settings_.backoff_cap_ms, 30000U);
  EXPECT_EQ(settings_.connect_timeout_ms, 10000U);
  EXPECT_EQ(settings_.publish_period_ms, 0U);
}

TEST_F(Settings, TagsAndNamesAreUnique) {
  std::set<int> tags;
  std::set<std::string> names;
  for (const auto& key : setting_table) {
    EXPECT_TRUE(tags.insert(key.tag).second) << key.name;
    EXPECT_TRUE(names.insert(key.name).second) << key.name;
  }
}

TEST_F(Settings, AnEndpointIsAHostName) {
  std::string three_labels;
  for (int i = 0; i < 3; i++) three_labels.append(63, 'a').append(".");
  for (const std::string& good :
       {std::string("a"), std::string("aaaa-ats.iot.eu-west-1.amazonaws.test"), three_labels + std::string(61, 'a'),
        std::string("1a"), std::string("4.example"), std::string()}) {
    EXPECT_TRUE(endpoint(good)) << good;
    EXPECT_EQ(settings_.endpoint, good);
  }
  ASSERT_TRUE(endpoint("kept.example"));
  for (const std::string& bad : {std::string("a."), std::string(".a"), std::string("a..b"), std::string("-a"),
                                 std::string("a-"), std::string("a b"), std::string("a:8883"), std::string("https://a"),
                                 std::string("127.0.0.1"), std::string("a_b"), std::string("a\xc3\xa4"),
                                 std::string(64, 'a'), three_labels + std::string(63, 'a'), std::string("1.2.3.4")}) {
    EXPECT_FALSE(endpoint(bad)) << bad;
    EXPECT_STREQ(settings_.endpoint, "kept.example");
  }
}

TEST_F(Settings, NumbersAreHeldToTheirRange) {
  EXPECT_TRUE(port("1"));
  EXPECT_TRUE(port("065535"));
  EXPECT_EQ(settings_.port, 65535U);
  for (const char* bad : {"", "0", "65536", "-1", "+1", " 1", "1 ", "0x10", "99999999999999999999"}) {
    EXPECT_FALSE(port(bad)) << bad;
  }
  EXPECT_EQ(settings_.port, 65535U);
}

TEST_F(Settings, NamesTopicsAndAddressesAreHeldToTheirForm) {
  EXPECT_TRUE(assign(SETTING_CONF, "ThingName", std::string(128, 'x')));
  EXPECT_FALSE(assign(SETTING_CONF, "ThingName", std::string(129, 'x')));
  EXPECT_FALSE(assign(SETTING_CONF, "ThingName", "a b"));
  EXPECT_TRUE(assign(SETTING_CONF, "Topic1", "a/b c"));
  EXPECT_FALSE(assign(SETTING_CONF, "Topic1", "a/+"));
  EXPECT_FALSE(assign(SETTING_CONF, "Topic1", "a\nb"));
  EXPECT_TRUE(assign(SETTING_XCONF, "ConnectAddress", "192.168.50.21"));
  EXPECT_TRUE(assign(SETTING_XCONF, "ConnectAddress", ""));
  for (const char* bad : {"1.2.3", "1.2.3.4.", "1.2.3.4.5", "1.2.3.256", "1..3.4", "1.2.3.4 ", "a", "0001.2.3.4"}) {
    EXPECT_FALSE(assign(SETTING_XCONF, "ConnectAddress", bad)) << bad;
  }
}

TEST_F(Settings, KeysAreNotReachable) {
  for (const char* name : {"key", "pending_key", "has_key", "wishes_connection", "Certificat", "endpoint"}) {
    EXPECT_EQ(setting_by_name(SETTING_CONF, name), nullptr);
    EXPECT_EQ(setting_by_name(SETTING_XCONF, name), nullptr);
  }
  EXPECT_FALSE(assign(SETTING_CONF, "Certificate", ""));
}

}  // namespace
