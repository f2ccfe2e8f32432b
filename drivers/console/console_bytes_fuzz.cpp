// libFuzzer: whatever a console sends, by telnet or not, lines come of it that are bounded, hold no line end and no
// prompt, and are the same however the octets were cut into pieces.
#include <algorithm>
#include <cstdint>

#include "drivers/console/line_assembler.h"
#include "drivers/console/telnet.h"

namespace {

using namespace hilmark;

constexpr std::size_t max_bytes = 64;
constexpr std::string_view prompt = "u:~$ ";

void require(bool holds) {
  if (!holds) __builtin_trap();
}

std::vector<AssembledLine> lines_of(ByteView data, std::size_t piece) {
  LineAssembler assembler(max_bytes, std::string(prompt));
  std::vector<AssembledLine> lines;
  for (std::size_t at = 0; at < data.size(); at += piece) {
    for (AssembledLine& line : assembler.feed(data.subspan(at, std::min(piece, data.size() - at)))) {
      lines.push_back(std::move(line));
    }
  }
  return lines;
}

TelnetFilter::Step telnet_of(ByteView data, std::size_t piece) {
  TelnetFilter filter;
  TelnetFilter::Step all;
  for (std::size_t at = 0; at < data.size(); at += piece) {
    const auto step = filter.feed(data.subspan(at, std::min(piece, data.size() - at)));
    all.data.insert(all.data.end(), step.data.begin(), step.data.end());
    all.reply.insert(all.reply.end(), step.reply.begin(), step.reply.end());
  }
  return all;
}

void check_lines(ByteView data) {
  const auto lines = lines_of(data, data.size());
  const auto by_octet = lines_of(data, 1);
  require(lines.size() == by_octet.size());
  for (std::size_t at = 0; at < lines.size(); ++at) {
    const AssembledLine& line = lines[at];
    require(line.text == by_octet[at].text && line.raw == by_octet[at].raw);
    require(line.text.size() <= max_bytes && line.raw.size() <= max_bytes);
    require(line.text.find_first_of("\r\n\x1b") == std::string::npos);
    require(line.text.find(prompt) == std::string::npos);
  }
}

void check_telnet(ByteView data) {
  const auto whole = telnet_of(data, data.size());
  const auto by_octet = telnet_of(data, 1);
  require(whole.data == by_octet.data && whole.reply == by_octet.reply);
  require(whole.data.size() + whole.reply.size() <= data.size());
  // What we send arrives.
  const Bytes sent = TelnetFilter().escaped(data);
  const auto arrived = telnet_of(sent, sent.size());
  require(arrived.reply.empty() && std::equal(data.begin(), data.end(), arrived.data.begin(), arrived.data.end()));
  check_lines(whole.data);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  check_lines({data, size});
  check_telnet({data, size});
  return 0;
}
