#include "drivers/console/serial_port.h"

#include <future>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <termios.h>

#include "drivers/console/port_testing.h"
#include "harness/base/child_process.h"
#include "harness/base/temporary_folder.h"

namespace hilmark {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

/// The board's end of a pseudo terminal. Destroyed, it is unplugged.
class Board {
 public:
  Board() : master_(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)) {
    std::array<char, 64> name{};
    if (::grantpt(master_.get()) == 0 && ::unlockpt(master_.get()) == 0 &&
        ::ptsname_r(master_.get(), name.data(), name.size()) == 0) {
      node_ = name.data();
    }
  }
  [[nodiscard]] const std::string& node() const { return node_; }
  [[nodiscard]] std::string hear(std::size_t octets) const {
    std::string heard(octets, '\0');
    std::size_t size = 0;
    while (size < octets) {
      const ssize_t count = ::read(master_.get(), heard.data() + size, octets - size);
      if (count <= 0) break;
      size += static_cast<std::size_t>(count);
    }
    heard.resize(size);
    return heard;
  }
  void say(std::string_view text) const { (void)!::write(master_.get(), text.data(), text.size()); }
  [[nodiscard]] termios settings() const {
    termios now{};
    (void)::tcgetattr(master_.get(), &now);
    return now;
  }
  void unplug() { master_.reset(); }

 private:
  UniqueFd master_;
  std::string node_;
};

class SerialPortTest : public testing::Test {
 protected:
  void write(const fs::path& file, std::string_view text) const {
    fs::create_directories(file.parent_path());
    ASSERT_TRUE(write_file(file, text));
  }
  /// An interface as sysfs shows it. `tty`: a path below it, "tty/ttyACM0" or "ttyUSB0/tty/ttyUSB0"; empty: none.
  void add_interface(int number, const char* interface_class, const std::string& driver, const std::string& tty = "") {
    const fs::path path = devices / fmt::format("1-4.2:1.{}", number);
    write(path / "bInterfaceNumber", fmt::format("{:02x}\n", number));
    write(path / "bInterfaceClass", std::string(interface_class) + "\n");
    if (!driver.empty()) fs::create_symlink("../../../../bus/usb/drivers/" + driver, path / "driver");
    if (!tty.empty()) fs::create_directories(path / tty);
  }
  void add_node(const std::string& name, const Board& to) const { fs::create_symlink(to.node(), folders.dev / name); }

  Result<std::unique_ptr<ConsolePort>> open(const ConsoleConfig& config = {}, Milliseconds limit = Milliseconds{0}) {
    return SerialPort::open({plugged, folders, limit}, config, listener.callbacks());
  }
  /// With one console at interface 0.
  void open_board() {
    add_interface(0, "02", "cdc_acm", "tty/ttyACM0");
    add_node("ttyACM0", board);
    auto opened = open();
    ASSERT_TRUE(opened) << opened.error().message;
    port = std::move(*opened);
  }
  std::string complaint(const ConsoleConfig& config = {}) {
    const auto opened = open(config);
    return opened ? "it was opened" : opened.error().message;
  }

  void SetUp() override {
    fs::create_directories(folders.dev);
    fs::permissions(folder.path(), fs::perms{0755});
    write(devices / "1-4.2/idVendor", "0483\n");
  }

  TemporaryFolder folder = TemporaryFolder::make().value();
  KernelFolders folders{folder.path() / "sys", folder.path() / "dev"};
  fs::path devices = folders.sys / "bus/usb/devices";
  UsbPlugged plugged{"1-4.2", {0x0483, 0x5740}, "S7", 1};
  Board board;
  PortListener listener;
  std::unique_ptr<ConsolePort> port;
};

TEST_F(SerialPortTest, CarriesAThousandLinesBothWays) {
  open_board();
  EXPECT_THAT(port->device_text(), AllOf(HasSubstr("0483:5740 serial S7 at port 1-4.2"), HasSubstr("ttyACM0")));
  std::string sent;
  for (int line = 0; line < 1000; ++line) {
    const std::string text = fmt::format("line {} \x03\x11\x13\r\n", line);
    ASSERT_TRUE(port->write(as_bytes(text), Milliseconds{5000}));
    const std::string arrived = board.hear(text.size());
    ASSERT_EQ(arrived, text) << "a raw line changes nothing";
    board.say(arrived);
    sent += text;
  }
  EXPECT_EQ(listener.heard(sent.size()), sent);
}

TEST_F(SerialPortTest, UnpluggingEndsIt) {
  open_board();
  board.say("last");
  EXPECT_EQ(listener.heard(4), "last");
  board.unplug();
  const auto end = listener.ended();
  ASSERT_TRUE(end);
  EXPECT_EQ(end->kind, ErrorKind::rig);
  EXPECT_THAT(end->message, AllOf(HasSubstr("at port 1-4.2"), HasSubstr("has left: it was unplugged")));
  const auto written = port->write(as_bytes("AT\n"), Milliseconds{5000});
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().kind, ErrorKind::rig);
  EXPECT_EQ(listener.ends(), 1);
}

TEST_F(SerialPortTest, ABoardThatReadsNothingTimesTheWriteOut) {
  open_board();
  const auto written = port->write(Bytes(1U << 20, 'x'), Milliseconds{100});
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().kind, ErrorKind::timeout);
  port.reset();
  EXPECT_EQ(listener.ends(), 0) << "closing is no end that is told";
}

TEST_F(SerialPortTest, TheLineIsSetAsConfigured) {
  add_interface(0, "02", "cdc_acm", "tty/ttyACM0");
  add_node("ttyACM0", board);
  auto opened = open({.baud = 9600, .framing = "8E2", .dtr = true, .rts = false});
  ASSERT_TRUE(opened) << opened.error().message;
  const termios now = board.settings();
  EXPECT_EQ(::cfgetospeed(&now), B9600);
  EXPECT_EQ(now.c_cflag & CSTOPB, CSTOPB);
  EXPECT_EQ(now.c_cflag & (HUPCL | CRTSCTS), 0U);
  EXPECT_EQ(now.c_lflag & (ECHO | ICANON | ISIG), 0U);
  EXPECT_EQ(now.c_iflag & (IXON | ICRNL), 0U);
  EXPECT_EQ(now.c_oflag & OPOST, 0U);
  opened->reset();
  EXPECT_THAT(complaint({.baud = 12'345}), HasSubstr("the kernel has no speed of 12345 baud"));
}

TEST_F(SerialPortTest, TheInterfaceIsChosenByNumber) {
  Board second;
  add_interface(0, "02", "cdc_acm", "tty/ttyACM3");
  add_interface(10, "02", "cdc_acm", "tty/ttyACM0");
  add_node("ttyACM3", board);
  add_node("ttyACM0", second);
  {
    PortListener first;
    auto opened = SerialPort::open({plugged, folders, Milliseconds{0}}, {}, first.callbacks());
    ASSERT_TRUE(opened) << opened.error().message;
    board.say("first");
    EXPECT_EQ(first.heard(5), "first") << "the lowest interface, not the lowest tty";
  }
  auto opened = open({.interface = 10});
  ASSERT_TRUE(opened) << opened.error().message;
  second.say("second");
  EXPECT_EQ(listener.heard(6), "second");
  EXPECT_THAT(complaint({.interface = 7}), AllOf(HasSubstr("no serial port at interface 7"), HasSubstr("ttyACM3")));
}

TEST_F(SerialPortTest, AUsbSerialBridgeIsFoundToo) {
  add_interface(0, "ff", "cp210x", "ttyUSB5/tty/ttyUSB5");
  add_node("ttyUSB5", board);
  EXPECT_TRUE(open()) << complaint();
}

TEST_F(SerialPortTest, AnotherDevicesTtyIsNeverTaken) {
  write(devices / "1-4.20:1.0/bInterfaceNumber", "00\n");
  write(devices / "1-4.20:1.0/bInterfaceClass", "02\n");
  fs::create_directories(devices / "1-4.20:1.0/tty/ttyACM0");
  add_node("ttyACM0", board);
  EXPECT_THAT(complaint(), HasSubstr("it has no interfaces"));
}

TEST_F(SerialPortTest, TheMissingKernelDriverIsNamed) {
  add_interface(0, "02", "");
  add_interface(1, "0a", "");
  EXPECT_THAT(complaint(), HasSubstr("interface 0 needs the kernel driver cdc_acm, which is not bound; run 'modprobe "
                                     "cdc_acm', or say transport: cdc-acm"));
  write(devices / "1-4.2/idVendor", "10c4\n");
  add_interface(2, "ff", "");
  EXPECT_THAT(complaint({.interface = 2}), HasSubstr("needs the kernel driver cp210x"));
}

TEST_F(SerialPortTest, AProgramThatHoldsTheInterfaceByUsbfsIsTold) {
  add_interface(0, "02", "usbfs");
  EXPECT_THAT(complaint(), HasSubstr("another program holds interface 0 by usbfs"));
}

TEST_F(SerialPortTest, ADeviceWithoutConsoleIsDescribed) {
  add_interface(0, "03", "usbhid");
  EXPECT_THAT(complaint(), AllOf(HasSubstr("0483:5740 serial S7"), HasSubstr("interface 0 (class 03): driver usbhid")));
}

TEST_F(SerialPortTest, ATtyThatComesALittleLaterIsWaitedFor) {
  auto opened = std::async(std::launch::async, [&] { return open({}, PortListener::patience); });
  add_interface(0, "02", "cdc_acm", "tty/ttyACM0");
  add_node("ttyACM0", board);
  const auto result = opened.get();
  EXPECT_TRUE(result) << result.error().message;
}

TEST_F(SerialPortTest, ItsNodeIsWaitedForByItself) {
  const SystemClock clock;
  const WantedTty wanted{"1-4.2", "the board", std::nullopt};
  const auto none = await_tty(folders, wanted, Deadline(clock, Milliseconds{0}));
  ASSERT_FALSE(none);
  EXPECT_THAT(none.error().message, HasSubstr("the board has no serial port"));
  auto node = std::async(std::launch::async,
                         [&] { return await_tty(folders, wanted, Deadline(clock, PortListener::patience)); });
  add_interface(0, "02", "cdc_acm", "tty/ttyACM0");
  add_node("ttyACM0", board);
  const auto found = node.get();
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(*found, folders.dev / "ttyACM0");
}

TEST_F(SerialPortTest, WhoHoldsItIsNamedAndItsEndSetsItFree) {
  add_interface(0, "02", "cdc_acm", "tty/ttyACM0");
  add_node("ttyACM0", board);
  ChildOptions options;
  options.command = {"sh", "-c", "exec 9<>$0; flock 9; echo ready; exec sleep 1000", board.node()};
  auto holder = ChildProcess::start(options);
  ASSERT_TRUE(holder) << holder.error().message;
  std::array<char, 6> ready{};
  ASSERT_EQ(::read(holder->output().get(), ready.data(), ready.size()), 6);
  EXPECT_THAT(complaint(),
              AllOf(HasSubstr("at port 1-4.2"), HasSubstr(fmt::format("(pid {}) has it open", holder->pid()))));
  holder->stop(Milliseconds{0});
  EXPECT_TRUE(open()) << complaint();
}

TEST_F(SerialPortTest, OurOwnLockKeepsASecondOut) {
  open_board();
  EXPECT_THAT(complaint(), HasSubstr("has it open"));
}

TEST_F(SerialPortTest, ADeniedPermissionSaysWhatToDo) {
  add_interface(0, "02", "cdc_acm", "tty/ttyACM0");
  add_node("ttyACM0", board);
  const bool is_root = ::geteuid() == 0;  // whom no mode denies anything
  constexpr uid_t nobody = 65534;
  const auto become = [](uid_t user) { EXPECT_EQ(::seteuid(user), 0); };
  const auto as_user = [&](mode_t mode) {
    EXPECT_EQ(::chmod(board.node().c_str(), mode), 0);
    if (is_root) become(nobody);
    const std::string text = complaint();
    if (is_root) become(0);
    return text;
  };
  EXPECT_THAT(as_user(0), AllOf(HasSubstr("permission denied"), HasSubstr("/etc/udev/rules.d/60-hilmark.rules"),
                                HasSubstr("ATTRS{idVendor}==\"0483\"")));
  struct stat about {};
  ASSERT_EQ(::stat(board.node().c_str(), &about), 0);
  if (about.st_gid != 0) {
    EXPECT_THAT(as_user(0040), HasSubstr("sudo usermod -aG "));
  }
}

TEST_F(SerialPortTest, WhatIsNoTerminalIsRefused) {
  add_interface(0, "02", "cdc_acm", "tty/ttyACM0");
  write(folders.dev / "ttyACM0", "");
  EXPECT_THAT(complaint(), HasSubstr("not a serial port"));
}

}  // namespace
}  // namespace hilmark
