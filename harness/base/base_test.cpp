#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "harness/base/bytes.h"
#include "harness/base/child_process.h"
#include "harness/base/clock.h"
#include "harness/base/error.h"
#include "harness/base/evidence.h"
#include "harness/base/namespaces.h"
#include "harness/base/temporary_folder.h"
#include "harness/base/unique_fd.h"

namespace hilmark {
namespace {

using std::chrono_literals::operator""ms;
using testing::HasSubstr;

TEST(Error, EveryKindHasANameOfItsOwn) {
  std::vector<std::string_view> names;
  for (const ErrorKind kind : all_error_kinds) {
    EXPECT_THAT(names, testing::Not(testing::Contains(name_of(kind))));
    EXPECT_NE(name_of(kind), "unknown");
    names.push_back(name_of(kind));
  }
}

TEST(Error, ContextIsPutInFrontAndTheKindIsKept) {
  const Error error = Error{ErrorKind::unit, "said no"}.with_context("flashing virtual-1");
  EXPECT_EQ(error.message, "flashing virtual-1: said no");
  EXPECT_EQ(error.kind, ErrorKind::unit);
}

TEST(Bytes, HexGoesThereAndBack) {
  const Bytes bytes{0x00, 0x7f, 0xff};
  EXPECT_EQ(to_hex(bytes), "007fff");
  EXPECT_EQ(from_hex("007FfF").value(), bytes);
  EXPECT_FALSE(from_hex("0"));
  EXPECT_FALSE(from_hex("0g"));
}

TEST(Bytes, WhatIsNoTextIsShownAndNothingIsDropped) {
  EXPECT_EQ(printable("a\x1b[31m\xc3\xa4\xff"), "a\\x1b[31m\xc3\xa4\\xff");
  EXPECT_EQ(printable(std::string("\0", 1)), "\\x00");
  EXPECT_EQ(printable("\xed\xa0\x80"), "\\xed\\xa0\\x80") << "a surrogate is no character";
  EXPECT_EQ(printable("\xef\xbf\xbf"), "\\xef\\xbf\\xbf") << "U+FFFF is no character of XML";
  EXPECT_EQ(printable("\xc0\xaf"), "\\xc0\\xaf") << "overlong";
}

TEST(Bytes, NumbersAreLittleEndian) {
  Bytes bytes{0xaa};
  append_u32(bytes, 0x80010203);
  EXPECT_EQ(bytes, (Bytes{0xaa, 0x03, 0x02, 0x01, 0x80}));
  EXPECT_EQ(u32_at(bytes, 1), 0x80010203U);
}

TEST(Bytes, EveryPlaceholderIsReplacedAndWhatReplacesItIsNot) {
  std::string text = "{a} and {a}{b}";
  replace_all(text, "{a}", "{a}{a}");
  EXPECT_EQ(text, "{a}{a} and {a}{a}{b}");
  replace_all(text, "{a}", "");
  EXPECT_EQ(text, " and {b}");
}

TEST(Bytes, AFileTooLargeIsRefusedByName) {
  const auto folder = TemporaryFolder::make();
  ASSERT_TRUE(folder);
  ASSERT_TRUE(write_file(folder->path() / "big", std::string(100, 'x'), 0600));
  EXPECT_EQ(read_file(folder->path() / "big", 100)->size(), 100U);
  EXPECT_THAT(read_file(folder->path() / "big", 99).error().message, HasSubstr("larger than the 99 bytes"));
  EXPECT_THAT(read_file(folder->path() / "none").error().message, HasSubstr("No such file"));
}

TEST(Clock, ADeadlineExpiresOnItsOwnClock) {
  ManualClock clock(WallTime{});
  const Deadline deadline(clock, 100ms);
  EXPECT_EQ(deadline.left(), 100ms);
  clock.advance(99ms);
  EXPECT_FALSE(deadline.expired());
  clock.advance(1ms);
  EXPECT_TRUE(deadline.expired());
  EXPECT_EQ(deadline.left(), 0ms);
}

TEST(Clock, StampsAreIso8601InUtc) { EXPECT_EQ(iso8601(WallTime{} + 1ms), "1970-01-01T00:00:00.001Z"); }

TEST(EvidenceLog, WaitingEndsWithTheFirstMatchAfterTheGivenOne) {
  const SystemClock clock;
  EvidenceLog log(clock);
  log.add("endpoint", "client_hello", {{"sni", "old"}});
  const std::uint64_t before = log.newest();
  std::thread writer([&] { log.add("endpoint", "client_hello", {{"sni", "new"}}, 7); });
  const auto any = [](const Evidence& piece) { return piece.kind == "client_hello"; };
  const EvidencePtr found = log.wait_for(any, before, Deadline(clock, 5000ms));
  writer.join();
  ASSERT_TRUE(found);
  EXPECT_EQ(found->text("sni"), "new");
  EXPECT_EQ(found->connection, 7U);
}

TEST(EvidenceLog, WaitingForWhatNeverComesEndsAtTheDeadline) {
  const SystemClock clock;
  const EvidenceLog log(clock);
  EXPECT_FALSE(log.wait_for([](const Evidence&) { return true; }, 0, Deadline(clock, 1ms)));
}

TEST(ChildProcess, ACommandsOutputAndFailureAreTold) {
  const SystemClock clock;
  EXPECT_EQ(run_command({.command = {"sh", "-c", "echo out; echo err >&2"}}, Deadline(clock, 10000ms)).value(),
            "out\nerr\n");
  EXPECT_THAT(run_command({.command = {"sh", "-c", "echo no; exit 3"}}, Deadline(clock, 10000ms)).error().message,
              testing::AllOf(HasSubstr("exit status 3"), HasSubstr("no")));
  EXPECT_EQ(run_command({.command = {"no-such-program"}}, Deadline(clock, 10000ms)).error().kind, ErrorKind::usage);
}

TEST(ChildProcess, TheWholeGroupEndsWithIt) {
  const SystemClock clock;
  auto child = ChildProcess::start({.command = {"sh", "-c", "sleep 1000 & echo $!; wait"}});
  ASSERT_TRUE(child);
  char text[32] = {};
  ASSERT_GT(::read(child->output().get(), text, sizeof text - 1), 0);
  const UniqueFd grandchild(static_cast<int>(::syscall(SYS_pidfd_open, std::stoi(text), 0)));
  ASSERT_TRUE(grandchild);
  EXPECT_EQ(child->stop(0ms).signal, SIGKILL);
  pollfd ended{grandchild.get(), POLLIN, 0};
  EXPECT_EQ(::poll(&ended, 1, 10000), 1) << "the grandchild lives on";
}

TEST(ChildProcess, HasNoDescriptorThatWasNotHandedOver) {
  const UniqueFd careless(::dup(2));  // as libraries open them: without FD_CLOEXEC
  const ChildOptions options{.command = {"ls", "/proc/self/fd"}, .descriptors = {{7, careless.get()}}};
  // 3 is the folder that is read.
  EXPECT_EQ(run_command(options, Deadline(SystemClock(), 10000ms)).value(), "0\n1\n2\n3\n7\n");
}

TEST(ChildProcess, TheUsbEmulationIsNotHandedToChildren) {
  const SystemClock clock;
  ::setenv("UMOCKDEV_DIR", "/nowhere", 1);
  EXPECT_EQ(run_command({.command = {"sh", "-c", "echo ${UMOCKDEV_DIR-unset}"}}, Deadline(clock, 10000ms)).value(),
            "unset\n");
  ::unsetenv("UMOCKDEV_DIR");
}

TEST(Namespaces, AUnitsWorldHasALoopbackAndAHostsFileOfItsOwn) {
  if (!namespaces_allowed()) GTEST_SKIP() << namespaces_allowed().error().message;
  const auto folder = TemporaryFolder::make();
  ASSERT_TRUE(folder);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const bool made = make_unit_namespace() && isolate_mounts_and_children() &&
                      overlay_file("/etc/hosts", "127.0.0.9 unit.test\n", folder->path());
    const auto hosts = read_file("/etc/hosts");
    ::_exit(made && hosts && as_text(*hosts) == "127.0.0.9 unit.test\n" ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_THAT(as_text(read_file("/etc/hosts").value()), testing::Not(HasSubstr("unit.test")));
}

}  // namespace
}  // namespace hilmark
