// Reads the evidence log (events.md), one line at a time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/object.hpp>

#include "harness/base/error.h"
#include "harness/base/unique_fd.h"

namespace hilmark::reports {

struct Event {
  std::string type;
  boost::json::object members;
  std::uint64_t line = 0;  ///< in its file, from 1

  /// A member as text, integer or boolean; empty, 0 or false where it is missing or of another type.
  [[nodiscard]] std::string text(std::string_view key) const;
  [[nodiscard]] std::int64_t number(std::string_view key) const;
  [[nodiscard]] bool flag(std::string_view key) const;
  [[nodiscard]] std::vector<std::string> texts(std::string_view key) const;  ///< the strings of a list
};

/// One line as an event. Errors (usage) say what is wrong, without file or line.
[[nodiscard]] Result<Event> parse_event(std::string_view line);

/// A last line without LF is what a run was writing when it was cut off: it is ignored.
class EventLogReader {
 public:
  static constexpr std::size_t max_line_bytes = 4U << 20;

  /// Reads no further than `max_bytes`, so that two passes over a log that grows see the same.
  [[nodiscard]] static Result<EventLogReader> open(const std::filesystem::path& path,
                                                   std::uint64_t max_bytes = std::numeric_limits<std::uint64_t>::max());
  /// The next event, or nullopt at the end. Errors (usage): "events.jsonl:12: …".
  [[nodiscard]] Result<std::optional<Event>> next();
  /// The octets of all lines that next() has read.
  [[nodiscard]] std::uint64_t consumed() const { return consumed_; }

 private:
  EventLogReader(std::filesystem::path path, UniqueFd fd, std::uint64_t max_bytes)
      : path_(std::move(path)), fd_(std::move(fd)), left_(max_bytes) {}
  std::filesystem::path path_;
  UniqueFd fd_;
  std::string buffer_;
  std::size_t start_ = 0;    // of the line in hand, within buffer_
  std::size_t scanned_ = 0;  // up to here there is no LF
  std::uint64_t line_ = 0;
  std::uint64_t left_;  // octets that may still be read from the file
  std::uint64_t consumed_ = 0;
};

}  // namespace hilmark::reports
