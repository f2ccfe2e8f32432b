#include "harness/base/write_all.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <string>
#include <thread>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <pthread.h>

#include "harness/base/unique_fd.h"

namespace hilmark {
namespace {

TEST(WriteAll, WritesWhatASignalInterruptsToItsEnd) {
  struct sigaction interrupt {};
  interrupt.sa_handler = [](int) {};  // and without SA_RESTART: a write ends early, or with EINTR
  struct sigaction former {};
  ASSERT_EQ(::sigaction(SIGUSR1, &interrupt, &former), 0);
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  const UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  const auto capacity = static_cast<std::size_t>(::fcntl(write_end.get(), F_GETPIPE_SZ));
  std::string text(16 * capacity, ' ');
  for (std::size_t at = 0; at < text.size(); ++at) text[at] = static_cast<char>('a' + at % 23);

  bool written = false;
  std::thread writer([&] {
    written = write_all(write_end.get(), text);
    write_end.reset();
  });
  std::string read;
  std::array<char, 5000> chunk{};
  for (ssize_t count = 0; (count = ::read(read_end.get(), chunk.data(), chunk.size())) > 0;) {
    read.append(chunk.data(), static_cast<std::size_t>(count));
    // As long as more is left than the pipe holds, the writer is at it.
    if (text.size() - read.size() > capacity) ::pthread_kill(writer.native_handle(), SIGUSR1);
  }
  writer.join();
  ::sigaction(SIGUSR1, &former, nullptr);
  EXPECT_TRUE(written);
  EXPECT_EQ(read, text);
}

TEST(WriteAll, SaysWhatHasFailed) {
  const UniqueFd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  ASSERT_TRUE(full);
  EXPECT_FALSE(write_all(full.get(), "x"));
  EXPECT_EQ(errno, ENOSPC);
  EXPECT_TRUE(write_all(full.get(), ""));
}

}  // namespace
}  // namespace hilmark
