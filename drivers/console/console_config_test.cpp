#include "drivers/console/console_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "drivers/console/open_console_port.h"
#include "drivers/console/port_testing.h"

namespace hilmark {
namespace {

using testing::HasSubstr;

std::string complaint(const ConsoleConfig& config) {
  const auto checked = check(config);
  return checked ? "" : checked.error().message;
}

TEST(ConsoleConfig, WhatIsNotSaidIsGood) { EXPECT_EQ(complaint({}), ""); }

TEST(ConsoleConfig, EachBadValueIsNamed) {
  EXPECT_THAT(complaint({.transport = "usb"}), HasSubstr("cdc-acm, serial, tcp, command, not 'usb'"));
  EXPECT_THAT(complaint({.interface = 256}), HasSubstr("interface must be"));
  EXPECT_THAT(complaint({.baud = 0}), HasSubstr("baud must be"));
  for (const char* framing : {"", "8N", "8n1", "9N1", "8N3", "8N1 "}) {
    EXPECT_THAT(complaint({.framing = framing}), HasSubstr("framing must be")) << framing;
  }
  for (const char* line_end : {"x", "\n\n\n", "\\n"}) {
    EXPECT_THAT(complaint({.line_end = line_end}), HasSubstr("line_end must be")) << line_end;
  }
  for (const char* prompt : {"> ", "a\nb", "\x1b[m> "}) {
    EXPECT_THAT(complaint({.prompt = prompt}), HasSubstr("prompt must be")) << prompt;
  }
  EXPECT_THAT(complaint({.transport = "command"}), HasSubstr("command must be"));
}

TEST(ConsoleConfig, AddressesAreReadOrRefused) {
  const auto v4 = parse_tcp_address("192.0.2.7:2001");
  ASSERT_TRUE(v4);
  EXPECT_EQ(v4->host + "|" + v4->port, "192.0.2.7|2001");
  const auto v6 = parse_tcp_address("[2001:db8::7]:23");
  ASSERT_TRUE(v6);
  EXPECT_EQ(v6->host + "|" + v6->port, "2001:db8::7|23");
  for (const char* bad :
       {"", ":", "host", "host:", ":23", "host:0", "host:65536", "host:2x", "2001:db8::7:23", "[]:1"}) {
    EXPECT_THAT(complaint({.transport = "tcp", .address = bad}), HasSubstr("address must be")) << bad;
  }
}

TEST(OpenConsolePort, ChecksAndAsksForTheUsbDeviceWhereItMatters) {
  PortListener listener;
  const auto bad = open_console_port({.transport = "morse"}, {}, listener.callbacks());
  EXPECT_THAT(bad.error().message, HasSubstr("console: transport must be one of"));
  for (const char* transport : {"serial", "cdc-acm"}) {
    const auto missing = open_console_port({.transport = transport}, {}, listener.callbacks());
    EXPECT_THAT(missing.error().message, HasSubstr("needs the unit's USB device")) << transport;
  }
}

TEST(OpenConsolePort, ACommandLearnsWhereItsUnitIs) {
  PortListener listener;
  const UsbPlugged plugged{"1-4.2", {0x0483, 0x5740}, "S7", 1};
  const auto port = open_console_port({.transport = "command", .command = {"sh", "-c", "echo {port} $0", "<{serial}>"}},
                                      {nullptr, plugged}, listener.callbacks());
  ASSERT_TRUE(port) << port.error().message;
  EXPECT_EQ(listener.heard(11), "1-4.2 <S7>\n");
}

}  // namespace
}  // namespace hilmark
