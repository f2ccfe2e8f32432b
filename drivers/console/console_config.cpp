#include "drivers/console/console_config.h"

#include <algorithm>
#include <charconv>

namespace hilmark {
namespace {

constexpr unsigned max_baud = 4'000'000;
constexpr int max_interface = 255;

bool is_printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) { return c >= ' ' && c != 0x7f; });
}

}  // namespace

const std::vector<std::string>& console_transports() {
  static const std::vector<std::string> names{"cdc-acm", "serial", "tcp", "command"};
  return names;
}

Result<void> check_prompt(std::string_view prompt) {
  constexpr std::size_t min_bytes = 3;
  constexpr std::size_t max_bytes = 100;
  if (is_printable(prompt) && prompt.size() >= min_bytes && prompt.size() <= max_bytes) return {};
  return fail(ErrorKind::usage, "prompt must be {} to {} characters without control characters", min_bytes, max_bytes);
}

Result<SerialFraming> parse_framing(std::string_view text) {
  const bool good = text.size() == 3 && text[0] >= '5' && text[0] <= '8' &&
                    std::string_view("NEO").find(text[1]) != std::string_view::npos &&
                    (text[2] == '1' || text[2] == '2');
  if (!good) {
    return fail(ErrorKind::usage, "framing must be data bits (5 to 8), parity (N, E, O) and stop bits (1, 2), as 8N1");
  }
  return SerialFraming{text[0] - '0', text[1], text[2] - '0'};
}

Result<TcpAddress> parse_tcp_address(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  const std::string_view port = colon == std::string_view::npos ? "" : text.substr(colon + 1);
  std::string_view host = text.substr(0, std::min(colon, text.size()));
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  std::uint16_t number = 0;
  const auto parsed = std::from_chars(port.data(), port.data() + port.size(), number);
  const bool good_port = parsed.ec == std::errc() && parsed.ptr == port.data() + port.size() && number != 0;
  const bool good_host = !host.empty() && is_printable(host) && host.find_first_of(" []") == std::string_view::npos &&
                         (bracketed || host.find(':') == std::string_view::npos);
  if (!good_port || !good_host) {
    return fail(ErrorKind::usage, "address must be host:port, 192.0.2.7:2001 or [2001:db8::7]:2001, not '{}'", text);
  }
  return TcpAddress{std::string(host), std::string(port)};
}

Result<void> check(const ConsoleConfig& config) {
  const auto& names = console_transports();
  if (std::find(names.begin(), names.end(), config.transport) == names.end()) {
    return fail(ErrorKind::usage, "transport must be one of {}, not '{}'", fmt::join(names, ", "), config.transport);
  }
  if (config.interface && (*config.interface < 0 || *config.interface > max_interface)) {
    return fail(ErrorKind::usage, "interface must be a number from 0 to {}", max_interface);
  }
  if (config.baud < 1 || config.baud > max_baud) {
    return fail(ErrorKind::usage, "baud must be a number from 1 to {}", max_baud);
  }
  if (const auto framing = parse_framing(config.framing); !framing) return fail(framing.error());
  if (config.line_end.find_first_not_of("\r\n") != std::string::npos || config.line_end.size() > 2) {
    return fail(ErrorKind::usage, R"(line_end must be "\n", "\r" or "\r\n")");
  }
  if (!config.prompt.empty()) {
    if (auto prompt = check_prompt(config.prompt); !prompt) return prompt;
  }
  if (config.transport == "tcp") {
    if (const auto address = parse_tcp_address(config.address); !address) return fail(address.error());
  }
  if (config.transport == "command" && (config.command.empty() || config.command[0].empty())) {
    return fail(ErrorKind::usage, "command must be a program and its arguments");
  }
  return {};
}

}  // namespace hilmark
