#include "suites/key_history.h"

#include <algorithm>
#include <cerrno>
#include <optional>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "harness/base/bytes.h"
#include "harness/base/unique_fd.h"
#include "harness/base/write_all.h"

namespace hilmark::suites {
namespace {

using Line = std::pair<std::string, std::string>;

std::vector<Line> lines_of(const std::string& text) {
  constexpr std::size_t key_digits = 64;
  std::vector<Line> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    if (end - at > key_digits + 1 && text[at + key_digits] == ' ') {
      lines.emplace_back(text.substr(at, key_digits), text.substr(at + key_digits + 1, end - at - key_digits - 1));
    }
    at = end + 1;
  }
  return lines;
}

std::string text_of(const std::vector<Line>& lines) {
  std::string text;
  for (const auto& [key, unit] : lines) text += fmt::format("{} {}\n", key, unit);
  return text;
}

std::optional<std::string> read_all(int fd) {
  std::string text;
  char chunk[4096];
  for (;;) {
    const ssize_t count = ::read(fd, chunk, sizeof chunk);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return std::nullopt;
    if (count == 0) return text;
    text.append(chunk, static_cast<std::size_t>(count));
  }
}

}  // namespace

Result<KeyHistory::Others> KeyHistory::add(const std::string& unit, const std::set<std::string>& keys) const {
  std::error_code ignored;
  std::filesystem::create_directories(file_.parent_path(), ignored);
  const UniqueFd fd(::open(file_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  const auto trouble = [&] { return fail(ErrorKind::rig, "{}: {}", file_.string(), errno_text(errno)); };
  if (!fd) return trouble();
  while (::flock(fd.get(), LOCK_EX) != 0) {
    if (errno != EINTR) return trouble();
  }
  const auto text = read_all(fd.get());
  if (!text) return trouble();

  Others others;
  std::vector<Line> lines = lines_of(*text);
  std::set<std::string> of_unit;
  for (const auto& [key, owner] : lines) {
    if (owner == unit) {
      of_unit.insert(key);
      continue;
    }
    others.units.insert(owner);
    const Line shared{key, owner};
    const bool told = std::find(others.shared.begin(), others.shared.end(), shared) != others.shared.end();
    if (keys.count(key) > 0 && !told) others.shared.push_back(shared);
  }
  std::vector<Line> added;
  for (const std::string& key : keys) {
    if (of_unit.count(key) == 0) added.emplace_back(key, unit);
  }
  // A line that was cut short, by whatever ended a run, must not take the next one with it.
  const std::string separator = text->empty() || text->back() == '\n' ? "" : "\n";
  if (!write_all(fd.get(), separator + text_of(added))) return trouble();
  if (lines.size() + added.size() <= max_lines) return others;
  lines.insert(lines.end(), added.begin(), added.end());
  lines.erase(lines.begin(), lines.begin() + static_cast<std::ptrdiff_t>(lines.size() / 2));
  if (::ftruncate(fd.get(), 0) != 0 || !write_all(fd.get(), text_of(lines))) return trouble();
  return others;
}

}  // namespace hilmark::suites
