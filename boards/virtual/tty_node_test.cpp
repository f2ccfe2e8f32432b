#include "boards/virtual/tty_node.h"

#include <chrono>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>

#include "boards/virtual/cdc_model.h"
#include "boards/virtual/preload_protocol.h"
#include "boards/virtual/temporary_root.h"
#include "boards/virtual/usb_bus.h"

namespace virtual_lab {
namespace {

namespace fs = std::filesystem;

class TtyNodeTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(bus.start(4, [](unsigned, bool) {}));
    plug();
  }
  void plug() {
    model = std::make_shared<CdcModel>("V1");
    auto joined = bus.plug({.port = 1,
                            .model = model,
                            .board_mutex = std::make_shared<std::mutex>(),
                            .on_event = [this](const DeviceEvent& event) { events.push_back(event.kind); },
                            .tty = UsbBus::Plug::Tty{0, CdcModel::data_out, CdcModel::data_in}});
    ASSERT_TRUE(joined) << joined.error();
    plugged = std::move(*joined);
  }
  // As any program opens it, but past the preload library.
  [[nodiscard]] UniqueFd open_tty() const {
    return UniqueFd(::open((root.path() / "dev/ttyACM0").c_str(), O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
  }
  // Lets the loop work until `done`, or for so long that it never comes.
  bool run_until(const std::function<bool()>& done) {
    bool late = false;
    const auto timer = loop.after(std::chrono::seconds(10), [&] { late = true; });
    loop.run_until([&] { return late || done(); });
    loop.cancel(timer);
    return !late;
  }
  void say(std::string_view text) {
    model->write_output(Bytes(text.begin(), text.end()));
    plugged->pump();
  }
  [[nodiscard]] std::string heard() const {
    const Bytes input = model->pending_input();
    return {input.begin(), input.end()};
  }
  std::string read_tty(const UniqueFd& tty, std::size_t octets) {
    std::string text;
    (void)run_until([&] {
      char buffer[4096];
      const ssize_t size = ::read(tty.get(), buffer, sizeof buffer);
      if (size > 0) text.append(buffer, static_cast<std::size_t>(size));
      if (text.size() < octets) loop.post([] {});
      return text.size() >= octets;
    });
    return text;
  }

  TemporaryRoot root = TemporaryRoot::make().value();
  EventLoop loop;
  UsbBus bus{loop, root.path()};
  std::shared_ptr<CdcModel> model;
  std::unique_ptr<PluggedDevice> plugged;
  std::vector<DeviceEvent::Kind> events;
};

TEST_F(TtyNodeTest, AThousandLinesGoThereAndBack) {
  const UniqueFd tty = open_tty();
  ASSERT_TRUE(tty.valid());
  for (int line = 0; line < 1000; ++line) {
    const std::string text = "line " + std::to_string(line) + " \x03\r\n";
    ASSERT_EQ(::write(tty.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
    ASSERT_TRUE(run_until([&] { return heard() == text; })) << heard();
    model->consume_input(text.size());
    say(text);
    ASSERT_EQ(read_tty(tty, text.size()), text);
  }
  EXPECT_THAT(events, testing::Contains(DeviceEvent::Kind::console_input));
}

TEST_F(TtyNodeTest, ABoardWithoutRoomHoldsUpItsHostAndLosesNothing) {
  const UniqueFd tty = open_tty();
  std::string sent;
  // Until neither board, node nor terminal takes more.
  for (int quiet = 0; quiet < 3; ++quiet) {
    for (ssize_t size = 1; size > 0;) {
      const std::string piece(97, static_cast<char>('a' + sent.size() % 26));
      size = ::write(tty.get(), piece.data(), piece.size());
      if (size > 0) sent += piece.substr(0, static_cast<std::size_t>(size));
      if (size > 0) quiet = 0;
    }
    bool turned = false;
    loop.post([&] { turned = true; });
    ASSERT_TRUE(run_until([&] { return turned; }));
  }
  EXPECT_GT(sent.size(), CdcModel::input_bytes);
  std::string arrived;
  ASSERT_TRUE(run_until([&] {
    arrived += heard();
    model->consume_input(CdcModel::input_bytes);
    plugged->pump();
    loop.post([] {});
    return arrived.size() >= sent.size();
  }));
  EXPECT_TRUE(arrived == sent) << arrived.size() << " of " << sent.size() << " bytes, or others";
}

TEST_F(TtyNodeTest, WhatNobodyReadsWaitsForTheNextHost) {
  const std::string much(20'000, 'x');
  say(much);
  const UniqueFd tty = open_tty();
  EXPECT_EQ(read_tty(tty, much.size()).size(), much.size());
  EXPECT_EQ(model->dropped_output_bytes(), 0U);
}

TEST_F(TtyNodeTest, SysfsShowsItWhereProgramsLook) {
  const fs::path interface = fs::canonical(root.path() / "sys/bus/usb/devices/1-1:1.0");
  const fs::path tty = fs::canonical(root.path() / "sys/class/tty/ttyACM0");
  EXPECT_EQ(tty, interface / "tty/ttyACM0");
  EXPECT_EQ(fs::canonical(tty / "device"), interface);
  EXPECT_EQ(fs::read_symlink(tty / "subsystem").filename(), "tty");
  EXPECT_EQ(fs::canonical(root.path() / "sys/dev/char/166:0"), tty);
  EXPECT_EQ(fs::read_symlink(interface / "driver").filename(), "cdc_acm");
  EXPECT_EQ(fs::read_symlink(root.path() / "dev/.node/ttyACM0"), "166:0");
}

TEST_F(TtyNodeTest, AnUnplugHangsUpAndTakesAllAway) {
  const UniqueFd tty = open_tty();
  plugged.reset();
  pollfd ready{tty.get(), POLLIN, 0};
  EXPECT_EQ(::poll(&ready, 1, 0), 1);
  EXPECT_NE(ready.revents & POLLHUP, 0);
  char octet = 0;
  EXPECT_LE(::read(tty.get(), &octet, 1), 0);
  EXPECT_EQ(::write(tty.get(), "x", 1), -1);
  EXPECT_FALSE(open_tty().valid());
  for (const char* gone :
       {"dev/ttyACM0", "sys/class/tty/ttyACM0", "sys/dev/char/166:0", "dev/.node/ttyACM0", "ioctl/dev/ttyACM0"}) {
    EXPECT_FALSE(fs::exists(fs::symlink_status(root.path() / gone))) << gone;
  }
  EXPECT_TRUE(fs::is_empty(root.path() / "dev/.ptymap"));

  plug();
  const UniqueFd again = open_tty();
  EXPECT_TRUE(again.valid()) << "the same name, as the kernel gives it";
  say("new");
  EXPECT_EQ(read_tty(again, 3), "new");
  EXPECT_LE(::read(tty.get(), &octet, 1), 0) << "the old one does not come to life again";
}

TEST_F(TtyNodeTest, TheLastCloseEndsExclusivityAndSettings) {
  const UniqueFd tty = open_tty();
  UniqueFd connection(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  (root.path() / "ioctl/dev/ttyACM0").string().copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(::connect(connection.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  const PreloadMessage question{static_cast<std::uint64_t>(PreloadCommand::ioctl), TIOCEXCL, 0};
  ASSERT_EQ(::send(connection.get(), &question, sizeof question, 0), static_cast<ssize_t>(sizeof question));
  PreloadMessage answer;
  ASSERT_TRUE(run_until([&] { return ::recv(connection.get(), &answer, sizeof answer, MSG_DONTWAIT) > 0; }));
  EXPECT_EQ(answer.command, static_cast<std::uint64_t>(PreloadCommand::done));
  EXPECT_EQ(static_cast<std::int64_t>(answer.argument1), -100) << "the preload library makes the call itself";

  ASSERT_EQ(::ioctl(tty.get(), TIOCEXCL), 0);
  termios settings{};
  ::tcgetattr(tty.get(), &settings);
  settings.c_lflag |= ECHO;
  ::tcsetattr(tty.get(), TCSANOW, &settings);
  connection.reset();
  EXPECT_TRUE(run_until([&] {
    int exclusive = 1;
    ::ioctl(tty.get(), TIOCGEXCL, &exclusive);
    return exclusive == 0;
  }));
  ::tcgetattr(tty.get(), &settings);
  EXPECT_EQ(settings.c_lflag & ECHO, 0U);
}

}  // namespace
}  // namespace virtual_lab
