#include "harness/serve/jitr_hook.h"

#include <future>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/base/bytes.h"
#include "harness/base/clock.h"
#include "harness/base/temporary_folder.h"

namespace hilmark::serve {
namespace {

using testing::HasSubstr;

class TheHook : public testing::Test {
 protected:
  JitrHook::Settings settings(std::vector<std::string> command) {
    return {.command = std::move(command),
            .environment =
                [](const cloud::Place& place) {
                  return std::map<std::string, std::string>{{"KEY_OF", place.account}};
                },
            .report = [this](const std::string& line) { reported_.set_value(line); }};
  }
  std::string report() {
    auto future = reported_.get_future();
    EXPECT_EQ(future.wait_for(std::chrono::seconds(30)), std::future_status::ready);
    return future.get();
  }
  const PendingCertificate waiting_{{"111111111111", "us-east-1"}, std::string(64, 'c'), std::string(64, 'a')};
  TemporaryFolder folder_ = std::move(TemporaryFolder::make().value());
  std::promise<std::string> reported_;
};

TEST_F(TheHook, is_told_the_certificate_and_the_keys_of_its_account) {
  const auto file = folder_.path() / "told";
  JitrHook hook(settings(
      {"sh", "-c",
       "echo $HILMARK_ACCOUNT $HILMARK_REGION $HILMARK_CERTIFICATE_ID $HILMARK_CA_ID $KEY_OF > " + file.string()}));
  hook.add(waiting_);
  EXPECT_THAT(report(), HasSubstr("exit status 0"));
  const auto told = read_file(file);
  ASSERT_TRUE(told);
  EXPECT_EQ(as_text(*told),
            "111111111111 us-east-1 " + std::string(64, 'c') + " " + std::string(64, 'a') + " 111111111111\n");
}

TEST_F(TheHook, reports_a_command_that_is_missing) {
  JitrHook hook(settings({"no-such-command-of-hilmark"}));
  hook.add(waiting_);
  EXPECT_THAT(report(), HasSubstr("no-such-command-of-hilmark"));
}

TEST_F(TheHook, ends_a_command_that_is_under_way_with_the_cloud) {
  const auto started = folder_.path() / "started";
  {
    JitrHook hook(
        settings({"sh", "-c", "mkfifo " + started.string() + "; echo > " + started.string() + "; sleep 1000"}));
    hook.add(waiting_);
    while (!std::filesystem::exists(started)) std::this_thread::yield();
    (void)read_file(started);  // blocks until it runs
  }
  EXPECT_THAT(report(), HasSubstr("as the cloud is"));
}

}  // namespace
}  // namespace hilmark::serve
