// libFuzzer: whatever stands in a line of an evidence log, it is an event or a fault that is named.
#include <cstdint>
#include <string_view>

#include "reports/event_log.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view line(reinterpret_cast<const char*>(data), size);
  const auto event = hilmark::reports::parse_event(line);
  if (!event) {
    if (event.error().message.empty()) __builtin_trap();
    return 0;
  }
  for (const auto& member : event->members) {
    (void)event->text(member.key());
    (void)event->number(member.key());
    (void)event->flag(member.key());
    (void)event->texts(member.key());
  }
  return 0;
}
