#include "drivers/unit/unit_lock.h"

#include <array>
#include <csignal>
#include <cstdlib>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "drivers/unit/unit.h"
#include "harness/base/bytes.h"
#include "harness/base/temporary_folder.h"

namespace hilmark {
namespace {

using testing::HasSubstr;

class Lock : public testing::Test {
 protected:
  Result<UnitLock> acquire(const std::string& name) { return UnitLock::acquire(name, {}, folder / "locks"); }
  /// A process that holds it until it is killed.
  pid_t hold_apart(const std::string& name) {
    std::array<int, 2> ready{};
    EXPECT_EQ(::pipe(ready.data()), 0);
    const pid_t holder = ::fork();
    if (holder == 0) {
      const auto held = acquire(name);
      (void)!::write(ready[1], held ? "x" : "-", 1);
      for (;;) ::pause();
    }
    char octet = 0;
    EXPECT_EQ(::read(ready[0], &octet, 1), 1);
    EXPECT_EQ(octet, 'x');
    for (const int fd : ready) ::close(fd);
    return holder;
  }
  TemporaryFolder owner = TemporaryFolder::make().value();
  std::filesystem::path folder = owner.path();
};

TEST_F(Lock, IsFreeAgainWhenItsHolderLetsGo) {
  { ASSERT_TRUE(acquire("usb-1-1")); }
  EXPECT_TRUE(acquire("usb-1-1"));
}

TEST_F(Lock, ASecondOneIsRefusedAndNamesTheHolder) {
  const auto first = acquire("usb-1-1");
  ASSERT_TRUE(first);
  const auto second = acquire("usb-1-1");
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind, ErrorKind::usage);
  EXPECT_THAT(second.error().message, HasSubstr(fmt::format("usb-1-1 is held by pid {}: ", ::getpid())));
  EXPECT_THAT(second.error().message, HasSubstr("unit_test"));
  EXPECT_THAT(second.error().message, HasSubstr("--wait"));
  EXPECT_TRUE(acquire("usb-1-2")) << "another port is another lock";
}

TEST_F(Lock, ALookNamesTheHolderAndTakesNothing) {
  const auto look = [&](const std::string& name) { return UnitLock::holder(name, folder / "locks"); };
  const auto none = look("usb-1-1");
  ASSERT_TRUE(none) << none.error().message;
  EXPECT_EQ(*none, std::nullopt);
  EXPECT_FALSE(std::filesystem::exists(folder / "locks")) << "a look makes nothing";
  {
    const auto first = acquire("usb-1-1");
    ASSERT_TRUE(first);
    const auto held = look("usb-1-1");
    ASSERT_TRUE(held && *held);
    EXPECT_THAT(**held, testing::StartsWith(fmt::format("pid {}: ", ::getpid())));
    EXPECT_EQ(*look("usb-1-2"), std::nullopt);
  }
  const auto before = read_file(folder / "locks/usb-1-1.lock").value();
  EXPECT_FALSE(before.empty());
  EXPECT_EQ(look("usb-1-1").value(), std::nullopt) << "what its last holder wrote stands there still";
  EXPECT_EQ(read_file(folder / "locks/usb-1-1.lock").value(), before);
  std::filesystem::create_symlink(folder / "elsewhere", folder / "locks/usb-1-3.lock");
  EXPECT_EQ(look("usb-1-3").error().kind, ErrorKind::usage);
}

TEST_F(Lock, WhoWaitsIsToldForWhomAndGetsItWhenThatEnds) {
  const pid_t holder = hold_apart("usb-1-1");
  std::string told;
  const auto got = UnitLock::acquire("usb-1-1",
                                     {.limit = LockWait::for_ever,
                                      .on_wait =
                                          [&](const std::string& whom) {
                                            told = whom;
                                            ::kill(holder, SIGKILL);
                                          }},
                                     folder / "locks");
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_THAT(told, testing::StartsWith(fmt::format("pid {}: ", holder)));
  ASSERT_EQ(::waitpid(holder, nullptr, 0), holder);
  EXPECT_FALSE(acquire("usb-1-1")) << "it is held now";
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "nobody is left in the queue";
}

TEST_F(Lock, TheTimeOfWaitingEnds) {
  const auto first = acquire("usb-1-1");
  const SystemClock clock;
  const SteadyTime start = clock.now();
  int told = 0;
  const auto second = UnitLock::acquire(
      "usb-1-1", {.limit = Milliseconds{50}, .on_wait = [&](const std::string&) { ++told; }}, folder / "locks");
  ASSERT_FALSE(second);
  EXPECT_GE(clock.now() - start, Milliseconds{50});
  EXPECT_EQ(told, 1);
  EXPECT_EQ(second.error().kind, ErrorKind::usage);
  EXPECT_THAT(second.error().message, testing::AllOf(HasSubstr(fmt::format("pid {}: ", ::getpid())),
                                                     HasSubstr("still, and the time for waiting is over")));
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "nobody is left in the queue";
}

TEST_F(Lock, OfAKilledProcessIsFree) {
  const pid_t holder = hold_apart("usb-1-1");
  const auto refused = acquire("usb-1-1");
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr(fmt::format("pid {}: ", holder)));
  ::kill(holder, SIGKILL);
  ASSERT_EQ(::waitpid(holder, nullptr, 0), holder);
  EXPECT_TRUE(acquire("usb-1-1"));
}

TEST_F(Lock, TheFolderIsEverybodys) {
  ASSERT_TRUE(acquire("usb-1-1"));
  struct stat info {};
  ASSERT_EQ(::stat((folder / "locks").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777U, 01777U);
  ASSERT_EQ(::stat((folder / "locks/usb-1-1.lock").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0666U);
}

TEST_F(Lock, ASymbolicLinkIsNotFollowed) {
  std::filesystem::create_directory(folder / "locks");
  std::filesystem::create_symlink(folder / "elsewhere", folder / "locks/usb-1-1.lock");
  EXPECT_FALSE(acquire("usb-1-1"));
  EXPECT_FALSE(std::filesystem::exists(folder / "elsewhere"));
}

TEST(LockName, TellsAVirtualPortFromTheMachinesOwn) {
  ::unsetenv("UMOCKDEV_DIR");
  EXPECT_EQ(lock_name("1-4.2", "bench-1"), "usb-1-4.2");
  EXPECT_EQ(lock_name("", "sample"), "process-sample");
  ::setenv("UMOCKDEV_DIR", "/tmp/virtual-lab-x7/", 1);
  EXPECT_EQ(lock_name("1-1", "virtual-1"), "virtual-lab-x7-1-1");
  ::unsetenv("UMOCKDEV_DIR");
}

TEST(Capabilities, EveryNameGoesThereAndBack) {
  for (int value = 0; value <= static_cast<int>(Capability::clock); ++value) {
    const auto capability = static_cast<Capability>(value);
    EXPECT_NE(name_of(capability), "unknown") << value;
    EXPECT_EQ(capability_from(name_of(capability)), capability);
  }
  EXPECT_FALSE(capability_from("flying"));
}

}  // namespace
}  // namespace hilmark
