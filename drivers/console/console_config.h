// What board and lab files say of a console.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/describe/class.hpp>

#include "harness/base/error.h"

namespace hilmark {

struct ConsoleConfig {
  std::string transport = "cdc-acm";  ///< one of console_transports()
  /// cdc-acm, serial: the number of the USB interface that is the console, where a device has several.
  std::optional<int> interface;
  unsigned baud = 115'200;       ///< cdc-acm, serial
  std::string framing = "8N1";   ///< serial: data bits 5 to 8, parity N, E or O, stop bits 1 or 2
  std::optional<bool> dtr, rts;  ///< serial: raised or not when it is opened; unset: as the driver leaves them
  std::string address;           ///< tcp: "host:port", "192.0.2.7:2001" or "[2001:db8::7]:2001"
  bool telnet = false;           ///< tcp: the server speaks RFC 854's telnet
  /// command: a program and its arguments, in which {port} and {serial} are those of the unit's USB device.
  std::vector<std::string> command;
  std::string line_end;  ///< instead of the command set's; empty: the command set's
  std::string prompt;    ///< the same
};
BOOST_DESCRIBE_STRUCT(ConsoleConfig, (),
                      (transport, interface, baud, framing, dtr, rts, address, telnet, command, line_end, prompt))

/// Holds all values against what they may be, and says what the transport lacks. The error (usage) begins with the key.
[[nodiscard]] Result<void> check(const ConsoleConfig& config);
/// 3 to 100 printable characters: a shorter one would be found in the middle of answers.
[[nodiscard]] Result<void> check_prompt(std::string_view prompt);

struct SerialFraming {
  int data_bits = 8;
  char parity = 'N';
  int stop_bits = 1;
};
[[nodiscard]] Result<SerialFraming> parse_framing(std::string_view text);

struct TcpAddress {
  std::string host;
  std::string port;
};
[[nodiscard]] Result<TcpAddress> parse_tcp_address(std::string_view text);

/// The names that `transport` may have.
[[nodiscard]] const std::vector<std::string>& console_transports();

}  // namespace hilmark
