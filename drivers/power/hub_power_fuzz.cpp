// libFuzzer: whatever a hub or a link in /sys says, a port that is to be switched is one that the hub has.
#include <cstdint>
#include <string_view>

#include "drivers/power/hub_power.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const int port = data[0];
  const hilmark::ByteView rest(data + 1, size - 1);
  if (hilmark::check_hub_descriptor(rest, port) && (port < 1 || port > rest[2])) __builtin_trap();
  const auto peer = hilmark::peer_port({reinterpret_cast<const char*>(rest.data()), rest.size()});
  if (peer && (peer->hub.empty() || peer->hub.find('/') != std::string::npos || peer->port < 1)) __builtin_trap();
  return 0;
}
