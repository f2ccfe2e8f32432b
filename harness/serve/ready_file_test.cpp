#include "harness/serve/ready_file.h"

#include <boost/json/parse.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/base/bytes.h"
#include "harness/base/temporary_folder.h"

namespace hilmark::serve {
namespace {

using testing::HasSubstr;

class TheReadyFile : public testing::Test {
 protected:
  static ReadyFacts facts() {
    ReadyFacts facts{.control = "http://127.0.0.1:4580", .root_ca = "/root.pem", .accounts = {}, .regions = {}};
    facts.accounts = {{"111111111111", "key", "secret", {}}};
    facts.regions["us-east-1"] = {
        .address = "127.0.0.1", .mqtt = 8883, .https = 8443, .alpn = {}, .endpoints = {{"111111111111", "a.example"}}};
    return facts;
  }
  TemporaryFolder folder_ = std::move(TemporaryFolder::make().value());
};

TEST_F(TheReadyFile, says_where_the_cloud_is_and_with_which_keys_to_its_owner_alone) {
  const auto path = folder_.path() / "ready.json";
  ASSERT_TRUE(write_ready_file(path, facts()));
  EXPECT_EQ(std::filesystem::status(path).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  const boost::json::object told = boost::json::parse(as_text(read_file(path).value())).as_object();
  EXPECT_EQ(told.at("control"), "http://127.0.0.1:4580");
  EXPECT_EQ(told.at("accounts").at(0).at("secret_key"), "secret");
  const boost::json::object region = told.at("regions").at("us-east-1").as_object();
  EXPECT_EQ(region.at("mqtt"), 8883);
  EXPECT_EQ(region.at("endpoints").at("111111111111"), "a.example");
  EXPECT_FALSE(region.contains("alpn"));
}

TEST_F(TheReadyFile, names_the_port_of_alpn_where_it_was_asked_for) {
  ReadyFacts with_alpn = facts();
  with_alpn.regions["us-east-1"].alpn = 443;
  ASSERT_TRUE(write_ready_file(folder_.path() / "ready.json", with_alpn));
  const auto told = boost::json::parse(as_text(read_file(folder_.path() / "ready.json").value()));
  EXPECT_EQ(told.at("regions").at("us-east-1").at("alpn"), 443);
}

TEST_F(TheReadyFile, names_its_option_where_it_cannot_be_written) {
  const auto written = write_ready_file(folder_.path() / "none" / "ready.json", facts());
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().kind, ErrorKind::usage);
  EXPECT_THAT(written.error().message, HasSubstr("--ready-file"));
}

}  // namespace
}  // namespace hilmark::serve
