#include "drivers/console/console_recorder.h"

#include <algorithm>

namespace hilmark {

ConsoleRecorder::ConsoleRecorder(const Clock& clock, EvidenceLog& evidence)
    : clock_(clock), evidence_(evidence), last_(clock.now()) {}

void ConsoleRecorder::Budget::bring(double seconds) {
  credit = std::min(credit + rate * seconds, rate * burst_seconds);
}

void ConsoleRecorder::add(const char* kind, std::string text, std::string raw) {
  const SteadyTime now = clock_.now();
  const double seconds = std::chrono::duration<double>(now - last_).count();
  last_ = now;
  lines_.bring(seconds);
  octets_.bring(seconds);
  const auto size = static_cast<double>(text.size() + raw.size());
  if (lines_.credit < 1 || octets_.credit < size) flooded_ = true;
  // A second's worth at a time, so that the flood is not told with every line.
  if (flooded_ && (lines_.credit < lines_.rate || octets_.credit < octets_.rate)) {
    ++lost_lines_;
    lost_octets_ += text.size() + raw.size();
    return;
  }
  if (flooded_) {
    evidence_.add("console", "console_flood", {{"lines", lost_lines_}, {"octets", lost_octets_}});
    flooded_ = false;
    lost_lines_ = 0;
    lost_octets_ = 0;
  }
  lines_.credit -= 1;
  octets_.credit -= size;
  boost::json::object said{{"text", std::move(text)}};
  if (!raw.empty()) said["raw"] = std::move(raw);
  evidence_.add("console", kind, std::move(said));
}

}  // namespace hilmark
