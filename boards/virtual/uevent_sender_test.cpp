#include "boards/virtual/uevent_sender.h"

#include <cstring>
#include <memory>

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "boards/virtual/unique_fd.h"

namespace virtual_lab {
namespace {

const Uevent add_event{"add", "/sys/devices/usb1/1-1", "usb", {{"DEVTYPE", "usb_device"}, {"DEVNUM", "002"}}};

TEST(Uevent, HasLibudevsFrame) {
  const Bytes message = encode_uevent(add_event, 7);
  EXPECT_STREQ(reinterpret_cast<const char*>(message.data()), "libudev");
  EXPECT_EQ(Bytes(message.begin() + 8, message.begin() + 12), (Bytes{0xfe, 0xed, 0xca, 0xfe}));
  EXPECT_EQ(read_u32(message, 16), 40U);
  EXPECT_EQ(read_u32(message, 20), message.size() - 40);
  const std::string text(message.begin() + 40, message.end());
  using namespace std::string_literals;
  EXPECT_EQ(text, "ACTION=add\0DEVPATH=/devices/usb1/1-1\0SUBSYSTEM=usb\0SEQNUM=7\0DEVTYPE=usb_device\0DEVNUM=002\0"s);
}

class Uevents : public testing::Test {
 protected:
  Uevents() {
    std::string pattern = testing::TempDir() + "ue-XXXXXX";
    root = ::mkdtemp(pattern.data());
  }
  ~Uevents() override { std::filesystem::remove_all(root); }

  UniqueFd listen(const std::string& name) {
    UniqueFd fd(::socket(AF_UNIX, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = (root / name).string();
    path.copy(address.sun_path, path.size());
    EXPECT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    return fd;
  }
  static int received(const UniqueFd& fd) {
    char buffer[4096];
    int count = 0;
    while (::recv(fd.get(), buffer, sizeof buffer, 0) > 0) ++count;
    return count;
  }

  std::filesystem::path root;
};

TEST_F(Uevents, ReachEveryListener) {
  const UniqueFd one = listen("event1");
  const UniqueFd two = listen("event2");
  UeventSender sender(root);
  sender.send(add_event);
  EXPECT_EQ(received(one), 1);
  EXPECT_EQ(received(two), 1);
}

TEST_F(Uevents, WaitForAListenerThatIsBehindInOrderAndWithoutBlocking) {
  const UniqueFd slow = listen("event1");
  const UniqueFd quick = listen("event2");
  UeventSender sender(root);
  int total = 0;
  int seen_by_quick = 0;
  for (; total < 600; ++total) {
    sender.send(add_event);
    seen_by_quick += received(quick);
  }
  EXPECT_EQ(seen_by_quick, 600);
  EXPECT_TRUE(sender.flush());
  int seen = 0;
  for (int round = 0; round < 1000 && seen < total; ++round) {
    seen += received(slow);
    sender.flush();
  }
  EXPECT_EQ(seen, total);
  EXPECT_FALSE(sender.flush());
}

TEST_F(Uevents, AreBoundedForAListenerThatNeverReads) {
  const UniqueFd stopped = listen("event1");
  UeventSender sender(root);
  const int many = static_cast<int>(UeventSender::max_waiting) + 500;
  for (int i = 0; i < many; ++i) sender.send(add_event);
  int seen = 0;
  int got = 0;
  while ((got = received(stopped)) > 0) {
    seen += got;
    sender.flush();
  }
  EXPECT_LT(seen, many);
  EXPECT_GE(seen, static_cast<int>(UeventSender::max_waiting));
}

TEST_F(Uevents, ForgetAListenerThatIsGone) {
  listen("event1").reset();
  UeventSender sender(root);
  sender.send(add_event);
  EXPECT_FALSE(std::filesystem::exists(root / "event1"));
  EXPECT_FALSE(sender.flush());
}

}  // namespace
}  // namespace virtual_lab
