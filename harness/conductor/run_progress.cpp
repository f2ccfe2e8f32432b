#include "harness/conductor/run_progress.h"

#include <algorithm>
#include <cstdlib>

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "harness/base/bytes.h"
#include "reports/evidence_text.h"

namespace hilmark {
namespace {

std::string_view colour_of(reports::Verdict verdict) {
  switch (verdict) {
    case reports::Verdict::pass:
      return "\x1b[32m";
    case reports::Verdict::fail:
      return "\x1b[1;31m";
    case reports::Verdict::warn:
      return "\x1b[33m";
    case reports::Verdict::inconclusive:
    case reports::Verdict::error:
      return "\x1b[35m";
    case reports::Verdict::skip:
      return "\x1b[2m";
  }
  return "";
}

std::size_t columns_of(std::FILE* stream) {
  static constexpr std::size_t usual = 80;
  winsize size{};
  return ::ioctl(::fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : usual;
}

}  // namespace

RunProgress::Look RunProgress::look_of(std::FILE* stream) {
  const char* no_colour = std::getenv("NO_COLOR");
  const char* kind = std::getenv("TERM");
  const bool terminal = ::isatty(::fileno(stream)) != 0 && kind != nullptr && std::string_view(kind) != "dumb";
  return {.terminal = terminal, .colour = terminal && (no_colour == nullptr || *no_colour == '\0')};
}

void RunProgress::clear() {
  if (drawn_) fmt::print(stream_, "\r\x1b[K");
  drawn_ = false;
}

void RunProgress::line(std::string_view text) {
  clear();
  fmt::print(stream_, "{}\n", text);
  std::fflush(stream_);
}

void RunProgress::verdict(const reports::CaseOutcome& outcome, std::int64_t rounds) {
  static constexpr std::size_t max_message_bytes = 160;
  ++told_;
  if (outcome.error_type == "not-run") return;  // Thousands, where many rounds are broken off; the reports have them.
  const std::string round = rounds > 1 && outcome.round > 0 ? fmt::format(" round {}", outcome.round) : "";
  std::string text = fmt::format("{:<14} {:<8}{} {}{:<12}{} {:>7.1f} s  {}", outcome.unit->id, outcome.planned->id,
                                 round, look_.colour ? colour_of(outcome.verdict) : "", name_of(outcome.verdict),
                                 look_.colour ? "\x1b[0m" : "", static_cast<double>(outcome.duration_ms) / 1000,
                                 printable(outcome.planned->title));
  if (outcome.verdict != reports::Verdict::pass && !outcome.message.empty()) {
    text += ": " + printable(reports::one_line(outcome.message, max_message_bytes));
  }
  line(text);
}

void RunProgress::unit_at(const std::string& unit, const std::string& what) {
  if (what.empty()) {
    at_.erase(unit);
  } else {
    at_[unit] = what;
  }
}

void RunProgress::redraw() {
  if (!look_.terminal) return;
  static constexpr std::size_t bar_width = 20;
  const std::size_t filled = all_ == 0 ? 0 : std::min(bar_width, told_ * bar_width / all_);
  std::string text =
      fmt::format("[{}{}] {}/{}", std::string(filled, '#'), std::string(bar_width - filled, '.'), told_, all_);
  for (const auto& [unit, what] : at_) text += fmt::format("  {}: {}", unit, what);
  if (drawn_ && text == shown_) return;
  clear();
  shown_ = text;
  fmt::print(stream_, "{}", reports::shortened(text, columns_of(stream_) - 2));
  std::fflush(stream_);
  drawn_ = true;
}

}  // namespace hilmark
