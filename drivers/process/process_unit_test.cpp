#include "drivers/process/process_unit.h"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <thread>

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "harness/base/temporary_folder.h"
#include "harness/base/unique_fd.h"

namespace hilmark {
namespace {

using testing::HasSubstr;

const std::string leaf = "-----BEGIN CERTIFICATE-----\nleaf\n-----END CERTIFICATE-----\n";
const std::string issuer = "-----BEGIN CERTIFICATE-----\nissuer\n-----END CERTIFICATE-----\n";
const EndpointAddress endpoint{"a.example", "127.0.0.1", 8883, "127.0.0.1"};

class Process : public testing::Test {
 protected:
  std::unique_ptr<Unit> unit(const std::string& script) {
    ProcessUnitConfig config;
    config.info.id = "sample";
    config.info.kind = UnitKind::process;
    config.command = {"/bin/sh", "-c", script};
    config.files = folder.path();
    config.topic = "hilmark/sample";
    config.stop_grace = Milliseconds{300};
    return make_process_unit(config, clock, evidence).value();
  }

  /// The first console line from `after` on that starts so.
  std::string line(const std::string& start, std::uint64_t after = 0) const {
    const auto piece = evidence.wait_for(
        [&](const Evidence& one) { return one.kind == "console_line" && one.text("text").find(start) == 0; }, after,
        Deadline(clock, Milliseconds{5000}));
    return piece ? piece->text("text") : "nothing";
  }
  [[nodiscard]] bool said(const std::string& text, std::uint64_t after) const {
    const auto is_it = [&](const Evidence& one) { return one.kind == "console_line" && one.text("text") == text; };
    return !evidence.all(is_it, after).empty();
  }
  [[nodiscard]] bool ended(std::uint64_t after = 0) const {
    return evidence.wait_for([](const Evidence& one) { return one.kind == "process_ended"; }, after,
                             Deadline(clock, Milliseconds{5000})) != nullptr;
  }

  SystemClock clock;
  EvidenceLog evidence{clock};
  TemporaryFolder folder = TemporaryFolder::make().value();
};

TEST_F(Process, IsToldWhereToConnectAndAsWhom) {
  ::setenv("HILMARK_LEFT_BY_AN_OUTER_RIG", "1", 1);
  const auto device = unit(
      "env | grep HILMARK_; cat \"$HILMARK_CHAIN\" | grep -c BEGIN; cat $HILMARK_CERT | grep -c BEGIN; echo done; exec "
      "sleep 1000");
  ASSERT_TRUE(device->start());
  EXPECT_FALSE(device->shows_life()) << "it is started once it knows its endpoint";
  ASSERT_TRUE(device->install({leaf + issuer, "KEY", "root", "device-7"}));
  ASSERT_TRUE(device->set_endpoint(endpoint));
  ASSERT_EQ(line("done"), "done");
  EXPECT_EQ(line("HILMARK_ENDPOINT="), "HILMARK_ENDPOINT=a.example");
  EXPECT_EQ(line("HILMARK_CONNECT_ADDRESS="), "HILMARK_CONNECT_ADDRESS=127.0.0.1");
  EXPECT_EQ(line("HILMARK_PORT="), "HILMARK_PORT=8883");
  EXPECT_EQ(line("HILMARK_CLIENT_ID="), "HILMARK_CLIENT_ID=device-7");
  EXPECT_EQ(line("HILMARK_TOPIC="), "HILMARK_TOPIC=hilmark/sample");
  EXPECT_EQ(line("HILMARK_RESOLVER="), "HILMARK_RESOLVER=127.0.0.1:53");
  EXPECT_EQ(line("HILMARK_KEY="), "HILMARK_KEY=" + (folder.path() / "key.pem").string());
  EXPECT_EQ(line("HILMARK_ROOT_CA="), "HILMARK_ROOT_CA=" + (folder.path() / "root_ca.pem").string());
  EXPECT_EQ(line("2"), "2") << "the chain holds leaf and issuer";
  EXPECT_EQ(line("1"), "1") << "the certificate is the leaf alone";
  for (const auto& piece : evidence.all([](const Evidence&) { return true; })) {
    EXPECT_THAT(boost::json::serialize(piece->data), testing::Not(HasSubstr("LEFT_BY")));
    EXPECT_THAT(boost::json::serialize(piece->data), testing::Not(HasSubstr("\"KEY\"")));
  }
  struct stat info {};
  ASSERT_EQ(::stat((folder.path() / "key.pem").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
  ::unsetenv("HILMARK_LEFT_BY_AN_OUTER_RIG");
}

TEST_F(Process, AClaimTakesThePlaceOfItsIdentityUntilOneIsInstalled) {
  const auto device = unit(
      "echo claim $HILMARK_CLAIM_CERT $HILMARK_CLAIM_KEY $HILMARK_FLEET_TEMPLATE; echo id $HILMARK_CLIENT_ID; "
      "cat $HILMARK_CHAIN $HILMARK_KEY 2>/dev/null; echo own > $HILMARK_CHAIN; echo done; exec sleep 1000");
  ASSERT_TRUE(device->install({leaf + issuer, "KEY\n", "root", "device-7"}));
  ASSERT_TRUE(device->set_endpoint(endpoint));
  ASSERT_TRUE(device->start());
  ASSERT_EQ(line("done"), "done");
  std::uint64_t mark = evidence.newest();
  ASSERT_TRUE(device->install_claim({leaf, "CLAIM\n", "root", "device-8", "lamp"}));
  ASSERT_EQ(line("done", mark), "done");
  const std::string folder_name = folder.path().string();
  EXPECT_EQ(line("claim", mark), "claim " + folder_name + "/claim_chain.pem " + folder_name + "/claim_key.pem lamp");
  EXPECT_EQ(line("id", mark), "id device-8");
  EXPECT_FALSE(said("KEY", mark)) << "its former identity is gone";
  struct stat info {};
  ASSERT_EQ(::stat((folder.path() / "claim_key.pem").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);

  mark = evidence.newest();
  ASSERT_TRUE(device->reset());
  ASSERT_EQ(line("done", mark), "done");
  EXPECT_TRUE(said("own", mark)) << "what it made of its claim is its own over a restart";

  mark = evidence.newest();
  ASSERT_TRUE(device->install({leaf, "KEY\n", "root", "device-7"}));
  ASSERT_EQ(line("done", mark), "done");
  EXPECT_EQ(line("claim", mark), "claim");
  EXPECT_TRUE(said("KEY", mark));
  EXPECT_FALSE(said("own", mark));
}

TEST_F(Process, AResetEndsTheWholeGroupAndStartsAnew) {
  const auto device = unit("sh -c 'trap \"\" TERM; echo child $$; while :; do sleep 1; done' & echo parent; wait");
  ASSERT_TRUE(device->set_endpoint(endpoint));
  ASSERT_TRUE(device->connect());
  const pid_t grandchild = std::stoi(line("child").substr(6));
  ASSERT_EQ(line("parent"), "parent");
  const UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, grandchild, 0)));
  ASSERT_TRUE(process);
  const std::uint64_t mark = evidence.newest();
  ASSERT_TRUE(device->reset());
  const pid_t next = std::stoi(line("child", mark).substr(6));
  EXPECT_NE(next, grandchild);
  // Killed, it takes its time to go.
  pollfd gone{process.get(), POLLIN, 0};
  EXPECT_EQ(::poll(&gone, 1, 5000), 1) << "it runs on";
}

TEST_F(Process, AChangeOfEndpointStartsItAnewOnlyOnceItShallRun) {
  const auto device = unit("echo at $HILMARK_ENDPOINT; exec sleep 1000");
  ASSERT_TRUE(device->set_endpoint(endpoint));
  EXPECT_FALSE(device->shows_life());
  ASSERT_TRUE(device->connect());
  ASSERT_EQ(line("at"), "at a.example");
  const std::uint64_t mark = evidence.newest();
  ASSERT_TRUE(device->set_endpoint({"b.example", "127.0.0.2", 443}));
  EXPECT_EQ(line("at", mark), "at b.example");
}

TEST_F(Process, ItsEndIsSeenAndLeavesTheLifeItShowed) {
  const auto device = unit("echo last words; exit 3");
  ASSERT_TRUE(device->set_endpoint(endpoint));
  ASSERT_TRUE(device->start());
  ASSERT_TRUE(ended());
  EXPECT_EQ(evidence.all([](const Evidence& one) { return one.kind == "process_ended"; })[0]->text("status"),
            "exit status 3");
  EXPECT_EQ(line("last"), "last words");
  EXPECT_TRUE(device->shows_life());
}

TEST_F(Process, OneThatEndsWithoutAWordShowedNoLife) {
  const auto device = unit("exit 0");
  ASSERT_TRUE(device->set_endpoint(endpoint));
  ASSERT_TRUE(device->start());
  ASSERT_TRUE(ended());
  EXPECT_FALSE(device->shows_life());
}

TEST_F(Process, OutlivesTheThreadThatStartedIt) {
  const auto device = unit("echo up; read never; sleep 1000; echo ended");
  std::thread([&] {
    ASSERT_TRUE(device->set_endpoint(endpoint));
    ASSERT_TRUE(device->start());
  }).join();
  EXPECT_EQ(line("up"), "up");
  EXPECT_TRUE(device->shows_life());
}

TEST_F(Process, GarbageIsShownAsWhatItIs) {
  const auto device = unit("printf 'a\\033[31m\\000\\n'; exec sleep 1000");
  ASSERT_TRUE(device->set_endpoint(endpoint));
  ASSERT_TRUE(device->start());
  EXPECT_EQ(line("a"), "a\\x1b[31m\\x00");
}

TEST_F(Process, WhatItIsNotAskedForIsSaid) {
  const auto device = unit("true");
  EXPECT_EQ(device->flash({}, {}).error().kind, ErrorKind::usage);
  EXPECT_EQ(device->read_flash(0, 1).error().kind, ErrorKind::usage);
  EXPECT_THAT(device->request_csr("x").error().message, HasSubstr("sample: a process unit cannot make a CSR"));
}

TEST_F(Process, AProgramThatIsNotThereIsAUsageError) {
  ProcessUnitConfig config;
  config.info.id = "sample";
  EXPECT_EQ(make_process_unit(config, clock, evidence).error().kind, ErrorKind::usage);
  config.command = {"./no-such-client"};
  config.files = folder.path();
  const auto device = make_process_unit(config, clock, evidence).value();
  ASSERT_TRUE(device->set_endpoint(endpoint));
  const auto started = device->start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().kind, ErrorKind::usage);
  EXPECT_THAT(started.error().message, HasSubstr("./no-such-client"));
}

}  // namespace
}  // namespace hilmark
