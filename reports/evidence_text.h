// Evidence as one line for people.
#pragma once

#include <string>

#include "reports/event_log.h"

namespace hilmark::reports {

/// "#17 endpoint ClientHello, connection 3: server_name "abc…"". Printable, at most some hundred characters.
[[nodiscard]] std::string evidence_line(const Event& event);

/// `text` cut to `max` octets, visibly, and never within a character.
[[nodiscard]] std::string shortened(const std::string& text, std::size_t max);

/// A message of several lines as one, cut to `max` octets.
[[nodiscard]] std::string one_line(const std::string& text, std::size_t max);

}  // namespace hilmark::reports
