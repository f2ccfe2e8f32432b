#include "reports/evidence_text.h"

#include <algorithm>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include "harness/base/bytes.h"

namespace hilmark::reports {
namespace {

constexpr std::size_t max_value_bytes = 96;
constexpr std::size_t max_line_bytes = 600;

std::string value_text(const boost::json::value& value) {
  if (value.is_string()) return shortened(printable(std::string_view(value.get_string())), max_value_bytes);
  return shortened(printable(boost::json::serialize(value)), max_value_bytes);
}

/// Where ALPN decides, and wherever it is offered.
std::string offered_protocols(const Event& data) {
  const boost::json::value* offered = data.members.if_contains("alpn");
  std::string list;
  if (offered != nullptr && offered->is_array()) {
    for (const boost::json::value& protocol : offered->get_array()) {
      list += (list.empty() ? "" : ", ") + value_text(protocol);
    }
  }
  if (!list.empty()) return ", ALPN " + list;
  return data.text("listener") == "alpn" ? ", no ALPN" : "";
}

std::string names_of_hello(const Event& data) {
  std::string text;
  const boost::json::value* names = data.members.if_contains("server_names");
  if (const std::string why = data.text("malformed"); !why.empty())
    text = fmt::format("malformed ({}), ", printable(why));
  if (data.number("server_name_extensions") == 0) return text + "no server_name extension";
  if (data.number("server_name_extensions") > 1)
    text += fmt::format("{} server_name extensions, ", data.number("server_name_extensions"));
  if (names == nullptr || !names->is_array() || names->get_array().empty()) return text + "server_name without a name";
  text += "server_name";
  for (const boost::json::value& name : names->get_array()) {
    if (name.is_object()) {
      const Event entry{.type = {}, .members = name.get_object()};
      text += fmt::format(" \"{}\"", shortened(printable(entry.text("name")), 260));
      if (entry.number("type") != 0) text += fmt::format(" (of type {})", entry.number("type"));
    } else {
      text += " " + value_text(name);
    }
  }
  return text;
}

std::string client_hello(const Event& data) {
  return names_of_hello(data) + offered_protocols(data) + (data.flag("offers_session") ? ", offers a session" : "");
}

std::string members_text(const boost::json::object& data) {
  std::string text;
  for (const auto& [key, value] : data) {
    if (key == "raw" || key == "chain_pem") {
      const std::size_t bytes = value.is_string() ? value.get_string().size() / 2 : 0;
      if (bytes > 0) text += fmt::format("{}raw={} octets", text.empty() ? "" : ", ", bytes);
      continue;
    }
    text += fmt::format("{}{}={}", text.empty() ? "" : ", ", printable(std::string_view(key)), value_text(value));
  }
  return text;
}

}  // namespace

std::string shortened(const std::string& text, std::size_t max) {
  if (text.size() <= max) return text;
  std::size_t end = max;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80U) --end;
  return text.substr(0, end) + "…";
}

std::string one_line(const std::string& text, std::size_t max) {
  std::string line;
  for (std::size_t start = 0; start < text.size() && line.size() <= max;) {
    const std::size_t end = std::min(text.find('\n', start), text.size());
    const std::size_t first = std::min(text.find_first_not_of(' ', start), end);
    if (first < end) line += (line.empty() ? "" : "; ") + text.substr(first, end - first);
    start = end + 1;
  }
  return shortened(line, max);
}

std::string evidence_line(const Event& event) {
  const std::string kind = event.text("kind");
  Event data;
  if (const auto* value = event.members.if_contains("data"); value != nullptr && value->is_object()) {
    data.members = value->get_object();
  }
  std::string what;
  if (kind == "client_hello") {
    what = client_hello(data);
  } else if (kind == "console_line") {
    what = fmt::format("\"{}\"", printable(data.text("text")));
  } else {
    what = members_text(data.members);
  }
  std::string line =
      fmt::format("#{} {} {} {}", event.number("number"), event.text("time"), printable(event.text("source")),
                  kind == "client_hello" ? "ClientHello" : printable(kind));
  if (const std::int64_t connection = event.number("connection"); connection != 0)
    line += fmt::format(", connection {}", connection);
  if (data.text("origin") == "probe") line += " of the rig's own probe";
  if (!what.empty()) line += ": " + what;
  for (char& character : line) {
    if (character == '\n') character = ' ';
  }
  return shortened(line, max_line_bytes);
}

}  // namespace hilmark::reports
