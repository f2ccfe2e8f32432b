#include "reports/event_log.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include <boost/json/parse.hpp>
#include <fcntl.h>

#include "harness/base/bytes.h"

namespace hilmark::reports {

std::string Event::text(std::string_view key) const {
  const boost::json::value* value = members.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

std::int64_t Event::number(std::string_view key) const {
  const boost::json::value* value = members.if_contains(key);
  return value != nullptr && value->is_int64() ? value->get_int64() : 0;
}

bool Event::flag(std::string_view key) const {
  const boost::json::value* value = members.if_contains(key);
  return value != nullptr && value->is_bool() && value->get_bool();
}

std::vector<std::string> Event::texts(std::string_view key) const {
  std::vector<std::string> result;
  const boost::json::value* value = members.if_contains(key);
  if (value == nullptr || !value->is_array()) return result;
  for (const boost::json::value& item : value->get_array()) {
    if (item.is_string()) result.emplace_back(item.get_string());
  }
  return result;
}

Result<Event> parse_event(std::string_view line) {
  boost::json::error_code error;
  boost::json::value value = boost::json::parse({line.data(), line.size()}, error);
  if (error) return fail(ErrorKind::usage, "no JSON ({}): {}", error.message(), printable(line.substr(0, 60)));
  if (!value.is_object())
    return fail(ErrorKind::usage, "an event is a JSON object; got {}", printable(line.substr(0, 60)));
  Event event;
  event.members = std::move(value.get_object());
  event.type = event.text("type");
  if (event.type.empty()) return fail(ErrorKind::usage, "an event has a `type`; got {}", printable(line.substr(0, 60)));
  if (event.number("v") != 1) return fail(ErrorKind::usage, "an event of version 1 (`v`) was expected");
  return event;
}

Result<EventLogReader> EventLogReader::open(const std::filesystem::path& path, std::uint64_t max_bytes) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return fail(ErrorKind::usage, "cannot read {}: {}", path.string(), errno_text(errno));
  return EventLogReader(path, std::move(fd), max_bytes);
}

Result<std::optional<Event>> EventLogReader::next() {
  std::array<char, 65536> chunk{};
  for (;;) {
    if (const std::size_t end = buffer_.find('\n', scanned_); end != std::string::npos) {
      const std::string_view line = std::string_view(buffer_).substr(start_, end - start_);
      start_ = scanned_ = end + 1;
      consumed_ += line.size() + 1;
      ++line_;
      if (line.empty()) continue;
      auto event = parse_event(line);
      if (!event) return fail(event.error(), "{}:{}", path_.string(), line_);
      event->line = line_;
      return std::optional<Event>(std::move(*event));
    }
    buffer_.erase(0, start_);
    start_ = 0;
    scanned_ = buffer_.size();
    if (buffer_.size() > max_line_bytes) {
      return fail(ErrorKind::usage, "{}:{}: a line is longer than {} bytes", path_.string(), line_ + 1, max_line_bytes);
    }
    const ssize_t count = ::read(fd_.get(), chunk.data(), std::min<std::uint64_t>(chunk.size(), left_));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail(ErrorKind::usage, "cannot read {}: {}", path_.string(), errno_text(errno));
    if (count == 0) return std::optional<Event>();
    left_ -= static_cast<std::uint64_t>(count);
    buffer_.append(chunk.data(), static_cast<std::size_t>(count));
  }
}

}  // namespace hilmark::reports
