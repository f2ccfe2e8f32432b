#include "drivers/console/console.h"

#include <algorithm>
#include <array>

#include <sys/random.h>

namespace hilmark {
namespace {

constexpr std::size_t max_answers = 1000;
constexpr std::size_t max_typed = 16;
constexpr Milliseconds write_limit{5000};
constexpr Milliseconds synchronise_limit{5000};

std::string new_nonce() {
  std::array<std::uint8_t, 16> random{};
  (void)!::getrandom(random.data(), random.size(), 0);
  return "nonce-" + to_hex(random);
}

}  // namespace

Result<void> Console::open(const ConsoleOpener& opener) {
  close();
  {
    const std::lock_guard lock(mutex_);
    assembler_ = LineAssembler(max_line_bytes, commands_.prompt());
    answers_.clear();
    typed_.clear();
    closed_.reset();
    nonce_.clear();
    last_line_.clear();
    lines_ = 0;
    believed_ = false;
    in_step_ = false;
  }
  auto port = opener({[this](ByteView data) { on_data(data); }, [this](const Error& error) { on_closed(error); }});
  if (!port) return fail(port.error());
  port_ = std::move(*port);
  const std::lock_guard lock(mutex_);
  device_ = port_->device_text();
  return {};
}

void Console::close() { port_.reset(); }

bool Console::is_open() const {
  const std::lock_guard lock(mutex_);
  return port_ != nullptr && !closed_;
}

std::optional<Error> Console::fault() const {
  const std::lock_guard lock(mutex_);
  if (port_ == nullptr || !closed_ || closed_->kind != ErrorKind::unit) return std::nullopt;
  return closed_;
}

std::uint64_t Console::lines_heard() const {
  const std::lock_guard lock(mutex_);
  return lines_;
}

void Console::on_data(ByteView data) {
  std::vector<AssembledLine> lines;
  {
    const std::lock_guard lock(mutex_);
    lines = assembler_.feed(data);
  }
  for (const AssembledLine& line : lines) on_line(line);
}

void Console::record(const char* kind, const AssembledLine& line) {
  // The screen follows keys over lines and is shown each line once. Where it took something out, nothing else is kept.
  const bool styled = line.raw != line.text && last_line_ == printable(line.text);
  recorder_.add(kind, last_line_, styled ? printable(line.raw) : "");
}

bool Console::is_echo(const std::string& text) {
  const auto sent = std::find_if(typed_.begin(), typed_.end(), [&](const std::string& typed) {
    return std::string_view(typed).substr(0, max_line_bytes) == text;
  });
  if (sent == typed_.end()) return false;
  typed_.erase(typed_.begin(), sent + 1);
  return true;
}

void Console::on_line(const AssembledLine& line) {
  const std::lock_guard lock(mutex_);
  ++lines_;
  last_line_ = evidence_.speech(line.text);
  if (is_echo(line.text)) return record("console_echo", line);
  const CommandMatch echo = nonce_.empty() ? CommandMatch{} : commands_.match("echo", line.text);
  if (echo.kind == CommandMatch::Kind::answer && echo.value == nonce_) {
    // The firmware answers in order: whatever it was asked before has been answered, or never will be.
    nonce_.clear();
    answers_.clear();
    typed_.clear();
    believed_ = true;
    in_step_ = true;
    changed_.notify_all();
    return;
  }
  record(believed_ ? "console_line" : "console_discarded", line);
  if (!believed_ || commands_.is_unsolicited(line.text)) return;
  answers_.push_back({line.text, last_line_});
  if (answers_.size() > max_answers) answers_.pop_front();
  changed_.notify_all();
}

void Console::on_closed(const Error& error) {
  const std::lock_guard lock(mutex_);
  closed_ = error;
  changed_.notify_all();
}

Error Console::closed_error() const {
  if (closed_) return *closed_;
  return {ErrorKind::rig, "the console is not open"};
}

Result<void> Console::write(const RenderedCommand& command) {
  {
    const std::lock_guard lock(mutex_);
    if (port_ == nullptr || closed_) return fail(closed_error());
    typed_.push_back(command.typed);
    if (typed_.size() > max_typed) typed_.pop_front();
  }
  const auto written = port_->write(as_bytes(command.line), write_limit);
  if (written) return {};
  const std::lock_guard lock(mutex_);
  in_step_ = false;  // Half of it may have arrived.
  return fail(written.error(), "saying {}", command.shown);
}

Result<void> Console::synchronise(const Deadline& deadline) {
  for (;;) {
    const std::string nonce = new_nonce();
    auto command = commands_.render("echo", {{"text", nonce}});
    if (!command) return fail(command.error());
    {
      const std::lock_guard lock(mutex_);
      nonce_ = nonce;
    }
    if (const auto written = write(*command); !written) return fail(written.error());
    const Deadline next = deadline.sooner(nonce_interval);
    std::unique_lock lock(mutex_);
    while (!nonce_.empty() && !closed_ && !next.expired()) changed_.wait_for(lock, next.left());
    if (nonce_.empty()) return {};
    if (closed_) return fail(closed_error());
    if (deadline.expired()) {
      const bool echoed = last_line_.find(nonce_) != std::string::npos;
      return fail(
          ErrorKind::timeout, "{} did not echo a nonce within {} ms; {}{}", device_, deadline.span().count(),
          lines_ == 0 ? "it said nothing at all" : fmt::format("the last that it said was '{}'", last_line_),
          echoed ? "; that holds the nonce, so `expect` of the verb `echo` needs a group that takes it alone" : "");
    }
  }
}

Result<std::string> Console::await_answer(const std::string& verb, const RenderedCommand& command,
                                          const Deadline& deadline) {
  std::unique_lock lock(mutex_);
  for (;;) {
    while (!answers_.empty()) {
      const Answer answer = std::move(answers_.front());
      answers_.pop_front();
      CommandMatch match = commands_.match(verb, answer.said);
      if (match.kind == CommandMatch::Kind::answer) return std::move(match.value);
      if (match.kind == CommandMatch::Kind::refusal) {
        return fail(ErrorKind::unit, "{} refused {}: {}", device_, command.shown, answer.to_tell);
      }
    }
    if (closed_) return fail(closed_error());
    if (deadline.expired()) {
      in_step_ = false;
      return fail(ErrorKind::timeout, "{} did not answer {} within {} ms; the last that it said was '{}'", device_,
                  command.shown, deadline.span().count(), last_line_);
    }
    changed_.wait_for(lock, deadline.left());
  }
}

Result<std::string> Console::say(const std::string& verb, const CommandArguments& arguments,
                                 const std::optional<Deadline>& deadline) {
  const auto command = commands_.render(verb, arguments);
  if (!command) return fail(command.error());
  bool in_step = false;
  {
    const std::lock_guard lock(mutex_);
    in_step = in_step_;
    if (in_step) typed_.clear();  // An echo comes before its answer, and that has come.
    answers_.clear();             // Only what is said after the command was sent can answer it.
  }
  if (!in_step) {
    const auto synchronised = synchronise(deadline.value_or(Deadline(clock_, synchronise_limit)));
    if (!synchronised) return fail(synchronised.error());
  }
  if (const auto written = write(*command); !written) return fail(written.error());
  return await_answer(verb, *command, deadline.value_or(Deadline(clock_, command->timeout)));
}

Result<void> Console::say_last(const std::string& verb) {
  const auto answer = say(verb);
  if (answer) return {};
  const std::lock_guard lock(mutex_);
  if (closed_) return {};
  return fail(answer.error());
}

Result<void> Console::prove(const std::string& build_id, const Deadline& deadline) {
  if (const auto synchronised = synchronise(deadline); !synchronised) return fail(synchronised.error());
  const auto running = say("build_id");
  if (!running) return fail(running.error());
  if (*running == build_id) return {};
  return fail(ErrorKind::unit, "{} runs build {}, but {} was flashed; its bootloader starts another image", device_,
              printable(*running), build_id);
}

}  // namespace hilmark
