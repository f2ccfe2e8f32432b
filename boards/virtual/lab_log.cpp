#include "boards/virtual/lab_log.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

namespace virtual_lab {

void LabLog::write(std::string_view who, std::string_view text) {
  if (file_ == nullptr || written_bytes_ >= max_bytes) return;
  if (text.ends_with('\n')) text.remove_suffix(1);
  const auto now = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
  const auto milliseconds = now.time_since_epoch().count() % 1000;
  const std::string line = fmt::format(
      "{:%H:%M:%S}.{:03} {}: {}\n", fmt::localtime(std::chrono::system_clock::to_time_t(now)), milliseconds, who, text);
  std::fwrite(line.data(), 1, line.size(), file_.get());
  std::fflush(file_.get());
  written_bytes_ += line.size();
}

}  // namespace virtual_lab
