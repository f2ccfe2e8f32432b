#include "drivers/tool/tool_flasher.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>

#include <fcntl.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "drivers/image/intel_hex.h"
#include "drivers/tool/tool_output.h"
#include "harness/base/bytes.h"
#include "harness/base/child_process.h"
#include "harness/base/end_signals.h"
#include "harness/base/temporary_folder.h"

namespace hilmark {
namespace {

constexpr std::size_t max_kept_lines = 2000;  // of one run of a tool
constexpr Milliseconds stop_grace{2000};      // for a tool that leaves its probe and its chip in order
constexpr std::size_t max_read_bytes = 64U << 20;

/// All that one command, with its script, is made of.
std::vector<std::string> texts_of(const ToolCommand& command) {
  std::vector<std::string> texts = command.command;
  texts.push_back(command.script);
  return texts;
}

bool asks_for(const ToolCommand& command, std::string_view placeholder) {
  const std::vector<std::string> texts = texts_of(command);
  return std::any_of(texts.begin(), texts.end(), [&](const std::string& text) {
    const auto names = placeholders_in(text);
    return std::find(names.begin(), names.end(), placeholder) != names.end();
  });
}

/// Hexadecimal, as some tools take no other numbers.
std::string size_text(std::size_t size_bytes) { return fmt::format("{:#x}", size_bytes); }

/// Reads what is there now, but not for ever; false at the end of the output.
bool drain(int fd, ToolOutput& output) {
  constexpr int max_reads = 64;
  std::array<char, 4096> chunk{};
  for (int reads = 0; reads < max_reads; ++reads) {
    const ssize_t count = ::read(fd, chunk.data(), chunk.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return count < 0 && errno == EAGAIN;
    output.feed(as_bytes(std::string_view(chunk.data(), static_cast<std::size_t>(count))));
  }
  return true;
}

enum class Heard { end, deadline, interruption };

/// What the program says, until it has ended, whoever else may hold its output open. `interruption`: readable once it
/// is to be ended before; none: -1.
Heard listen(ChildProcess& child, int pipe, ToolOutput& output, int interruption, const Deadline& deadline) {
  bool open = true;
  for (;;) {
    std::array<pollfd, 3> wake{
        {{child.when_ended(), POLLIN, 0}, {open ? pipe : -1, POLLIN, 0}, {interruption, POLLIN, 0}}};
    const int ready = ::poll(wake.data(), wake.size(), static_cast<int>(deadline.left().count()));
    if (open && (ready > 0 || deadline.expired())) open = drain(pipe, output);
    if (!child.running()) {
      if (open) (void)drain(pipe, output);
      return Heard::end;
    }
    if (ready > 0 && wake[2].revents != 0) return Heard::interruption;
    if (deadline.expired()) return Heard::deadline;
  }
}

}  // namespace

ToolFlasher::ToolFlasher(ToolConfig config, ToolTarget target, const Clock& clock, EvidenceLog& evidence)
    : config_(std::move(config)), target_(std::move(target)), clock_(&clock), evidence_(&evidence) {}

Result<void> ToolFlasher::add_own_values(const std::vector<std::string>& asked, Values& values) const {
  values.insert(config_.arguments.begin(), config_.arguments.end());
  values["port"] = target_.port;
  values["id"] = target_.id;
  const auto is_asked = [&](const char* name) { return std::find(asked.begin(), asked.end(), name) != asked.end(); };
  if (is_asked("serial") || is_asked("number")) {
    if (target_.serial.empty()) {
      return fail(ErrorKind::usage,
                  "{}: tool {} names the device by its serial number, which it has not, or does not let us read; "
                  "`hilmark boards scan` tells whether a permission is missing",
                  target_.device, config_.name);
    }
    values["serial"] = target_.serial;
    values["number"] = target_.serial.substr(std::min(target_.serial.find_first_not_of('0'), target_.serial.size()));
  }
  if (is_asked("tty")) {
    auto tty = target_.tty();
    if (!tty) return fail(tty.error(), "tool {} works through a serial port", config_.name);
    values["tty"] = *tty;
  }
  return {};
}

Result<void> ToolFlasher::run(const Step& step, Values values, const Progress& progress,
                              const Deadline& deadline) const {
  if (const auto there = check_programs(config_); !there) return fail(there.error(), "{}", target_.device);
  std::vector<std::string> asked;
  for (const std::string& text : texts_of(step.command)) {
    for (std::string& name : placeholders_in(text)) asked.push_back(std::move(name));
  }
  if (auto added = add_own_values(asked, values); !added) return added;
  const auto folder = TemporaryFolder::make();
  if (!folder) return fail(folder.error());
  if (!step.command.script.empty()) {
    values["script"] = (folder->path() / "script").string();
    auto written = write_file(values["script"], filled(step.command.script, values), 0600);
    if (!written) return written;
  }
  for (const std::string& name : asked) {
    if (values.count(name) > 0) continue;
    return fail(ErrorKind::usage, "{}: tool {}: there is no {{{}}} when {}; correct that command in its tool file",
                target_.device, config_.name, name, step.name);
  }
  ChildOptions options;
  for (const std::string& word : step.command.command) options.command.push_back(filled(word, values));
  options.keep_preload = true;  // In the virtual lab a tool is a USB client like the rig.
  const std::string program = options.command.front();

  std::size_t lines = 0;
  const auto on_line = [&](const std::string& line) {
    std::string told = evidence_->speech(line);
    if (++lines <= max_kept_lines) evidence_->add("rig", "tool_line", {{"text", told}});
    return told;
  };
  ToolOutput output(step.command, on_line, [&](double fraction) {
    if (progress) progress(step.name, fraction);
  });
  if (progress) progress(step.name, 0);
  evidence_->add("rig", "tool_started", {{"step", step.name}, {"command", printable(command_text(options.command))}});
  const SteadyTime begin = clock_->now();
  const Deadline limit = deadline.sooner(Milliseconds(step.command.timeout_ms));
  auto child = ChildProcess::start(options);
  if (!child) return fail(child.error(), "{}", target_.device);
  const UniqueFd pipe = child->take_output();
  ::fcntl(pipe.get(), F_SETFL, O_NONBLOCK);
  // Readable while a signal is pending that asks this process to end, where that is blocked; whoever blocked it takes
  // it.
  UniqueFd interruption;
  if (step.may_be_interrupted) {
    const sigset_t signals = end_signals();
    interruption.reset(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  }
  const Heard heard = listen(*child, pipe.get(), output, interruption.get(), limit);
  if (heard != Heard::end) {
    // It is still listened to: a tool that tells how it ends must not die of that.
    child->signal_group(SIGTERM);
    (void)listen(*child, pipe.get(), output, -1, Deadline(*clock_, stop_grace));
  }
  // With it goes whatever it has left behind.
  const ExitStatus ended = child->stop(Milliseconds{0});
  output.end();
  const std::string how = (heard == Heard::end ? "" : "ended by us: ") + ended.text();
  const auto took = std::chrono::duration_cast<Milliseconds>(clock_->now() - begin);
  evidence_->add("rig", "tool_ended",
                 {{"step", step.name},
                  {"status", how},
                  {"lines", lines},
                  {"lines_dropped", lines - std::min(lines, max_kept_lines)},
                  {"progress_lines", output.progress_lines()},
                  {"duration_ms", took.count()}});
  if (heard == Heard::interruption) {
    return fail(ErrorKind::interrupted, "{}: {} was ended in {}, since hilmark was asked to end; {}", target_.device,
                program, step.name, output.last_words());
  }
  if (heard == Heard::deadline) {
    return fail(ErrorKind::rig, "{}: {} was not done with {} within {} ms, and was ended; {}", target_.device, program,
                step.name, limit.span().count(), output.last_words());
  }
  const ToolOutput::Verdict verdict = output.verdict(ended.ok(), how);
  if (verdict.why.empty()) return {};
  return fail(verdict.is_refusal ? ErrorKind::unit : ErrorKind::rig, "{}: {} failed in {}: {}", target_.device, program,
              step.name, verdict.why);
}

Result<FlashReport> ToolFlasher::write(std::uint32_t address, ByteView content, const Progress& progress,
                                       const Deadline& deadline) {
  const SteadyTime start = clock_->now();
  const auto folder = TemporaryFolder::make();
  if (!folder) return fail(folder.error());
  // Programs tell formats by these endings.
  Values values{{"image", (folder->path() / "image.bin").string()},
                {"hex", (folder->path() / "image.hex").string()},
                {"address", fmt::format("{:#010x}", address)},
                {"size", size_text(content.size())}};
  if (const auto written = write_file(values["image"], as_text(content), 0600); !written) return fail(written.error());
  if (asks_for(config_.write, "hex") || asks_for(config_.erase, "hex")) {
    const auto written = write_file(values["hex"], intel_hex(address, content), 0600);
    if (!written) return fail(written.error());
  }
  if (!config_.erase.command.empty()) {
    if (const auto erased = run({"erasing", config_.erase}, values, progress, deadline); !erased) {
      return fail(erased.error());
    }
  }
  if (const auto done = run({"writing", config_.write}, values, progress, deadline); !done) return fail(done.error());
  if (can_read()) {
    const auto back = read_as("verifying", address, content.size(), progress, deadline);
    if (!back) return fail(back.error());
    if (const auto same = compare_flash(target_.device, address, content, *back); !same) return fail(same.error());
  }
  return FlashReport{content.size(), 0, std::chrono::duration_cast<Milliseconds>(clock_->now() - start), can_read()};
}

Result<Bytes> ToolFlasher::read_as(const char* step, std::uint32_t address, std::size_t size_bytes,
                                   const Progress& progress, const Deadline& deadline) const {
  const auto folder = TemporaryFolder::make();
  if (!folder) return fail(folder.error());
  const std::string output = (folder->path() / "flash.bin").string();
  const Values values{
      {"output", output}, {"address", fmt::format("{:#010x}", address)}, {"size", size_text(size_bytes)}};
  if (const auto done = run({step, config_.read}, values, progress, deadline); !done) return fail(done.error());
  auto content = read_file(output, max_read_bytes);
  if (!content) {
    return fail(ErrorKind::rig, "{}: tool {} was done with {}, but left no file: {}", target_.device, config_.name,
                step, content.error().message);
  }
  if (content->size() < size_bytes) {
    return fail(ErrorKind::rig, "{}: tool {} was done with {}, but left {} of {} bytes; is there room in {}?",
                target_.device, config_.name, step, content->size(), size_bytes, folder->path().parent_path().string());
  }
  content->resize(size_bytes);
  return content;
}

Result<Bytes> ToolFlasher::read(std::uint32_t address, std::size_t size_bytes, const Progress& progress,
                                const Deadline& deadline) {
  if (!can_read()) {
    return fail(ErrorKind::usage, "{}: tool {} has no `read`, so the flash cannot be read back", target_.device,
                config_.name);
  }
  return read_as("reading", address, size_bytes, progress, deadline);
}

Result<void> ToolFlasher::start(std::uint32_t address, const Deadline& deadline) {
  if (config_.start.command.empty()) return {};
  const auto folder = TemporaryFolder::make();
  if (!folder) return fail(folder.error());
  return run({"starting", config_.start, false},
             {{"address", fmt::format("{:#010x}", address)}, {"output", (folder->path() / "flash.bin").string()}}, {},
             deadline);
}

}  // namespace hilmark
