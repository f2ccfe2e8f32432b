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
using testing::IsEmpty;
using testing::Le;
using testing::Not;
using testing::SizeIs;

class TheHook : public testing::Test {
 protected:
  JitrHook::Settings settings(std::vector<std::string> command) {
    return {.command = std::move(command),
            .environment =
                [](const cloud::Place& place) {
                  return std::map<std::string, std::string>{{"KEY_OF", place.account}};
                },
            .report = [this](JitrHook::Told, const std::string& line) { reported_.set_value(line); }};
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
  const auto hook =
      JitrHook::start(
          settings({"sh", "-c",
                    "echo $HILMARK_ACCOUNT $HILMARK_REGION $HILMARK_CERTIFICATE_ID $HILMARK_CA_ID $KEY_OF > " +
                        file.string()}))
          .value();
  hook->add(waiting_);
  EXPECT_THAT(report(), HasSubstr("exit status 0"));
  const auto told = read_file(file);
  ASSERT_TRUE(told);
  EXPECT_EQ(as_text(*told),
            "111111111111 us-east-1 " + std::string(64, 'c') + " " + std::string(64, 'a') + " 111111111111\n");
}

TEST_F(TheHook, reports_a_command_that_is_missing) {
  const auto hook = JitrHook::start(settings({"no-such-command-of-hilmark"})).value();
  hook->add(waiting_);
  EXPECT_THAT(report(), HasSubstr("no-such-command-of-hilmark"));
}

TEST_F(TheHook, ends_a_command_that_is_under_way_with_the_cloud) {
  const auto started = folder_.path() / "started";
  {
    const auto hook =
        JitrHook::start(
            settings({"sh", "-c", "mkfifo " + started.string() + "; echo > " + started.string() + "; sleep 1000"}))
            .value();
    hook->add(waiting_);
    while (!std::filesystem::exists(started)) std::this_thread::yield();
    (void)read_file(started);  // blocks until it runs
  }
  EXPECT_THAT(report(), HasSubstr("as the cloud is"));
}

TEST_F(TheHook, tells_once_that_no_more_can_wait) {
  std::vector<std::string> dropped;
  JitrHook::Settings busy = settings({"sleep", "1000"});
  busy.report = [&](JitrHook::Told told, const std::string& line) {
    if (told == JitrHook::Told::dropped) dropped.push_back(line);
  };
  const auto hook = JitrHook::start(busy).value();
  // One more than may wait is under way, or will be.
  for (std::size_t i = 0; i < JitrHook::max_waiting + 10; ++i) {
    PendingCertificate certificate = waiting_;
    certificate.certificate_id = std::to_string(i);
    hook->add(certificate);
    hook->add(certificate);
  }
  ASSERT_THAT(dropped, Not(IsEmpty()));
  // Again at most once: after the first was taken out of the queue.
  EXPECT_THAT(dropped, SizeIs(Le(2U)));
  EXPECT_THAT(dropped.front(), HasSubstr("1000 certificates wait"));
}

}  // namespace
}  // namespace hilmark::serve
