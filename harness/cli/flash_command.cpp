// hilmark flash
#include <CLI/CLI.hpp>
#include <fcntl.h>
#include <unistd.h>

#include "drivers/unit/unit_lock.h"
#include "drivers/usb/usb_recording.h"
#include "harness/base/bytes.h"
#include "harness/base/evidence.h"
#include "harness/base/write_all.h"
#include "harness/cli/commands.h"
#include "harness/conductor/preflight.h"
#include "harness/conductor/run_progress.h"
#include "harness/conductor/unit_factory.h"

namespace hilmark::cli {
namespace {

struct Arguments {
  std::filesystem::path lab;
  std::string unit;
  std::filesystem::path image;
  std::filesystem::path record;
  std::filesystem::path read;
  std::optional<std::uint32_t> bytes;
  Milliseconds wait{0};
  bool dry_run = false;
};

/// "writing 45 %, 120 KiB/s": the rate since the step began.
class StepRate {
 public:
  StepRate(const Clock& clock, std::size_t total_bytes) : clock_(clock), total_bytes_(total_bytes) {}

  [[nodiscard]] std::string text(std::string_view step, double fraction) {
    if (step != step_) {
      step_ = step;
      begun_ = clock_.now();
      from_ = fraction;
    }
    const double seconds = std::chrono::duration<double>(clock_.now() - begun_).count();
    const double kib = (fraction - from_) * static_cast<double>(total_bytes_) / 1024;
    const bool moves_octets = step == "writing" || step == "verifying";
    const std::string rate = moves_octets && seconds > 0 ? fmt::format(", {:.0f} KiB/s", kib / seconds) : "";
    return fmt::format("{} {:.0f} %{}", step, fraction * 100, rate);
  }

 private:
  const Clock& clock_;
  const std::size_t total_bytes_;
  std::string step_;
  SteadyTime begun_{};
  double from_ = 0;
};

void tell_plan(const BenchUnit& unit, const FirmwareImage& image) {
  fmt::print("{}: would write {} octets of {} at {:#010x} by {}{}, at port {}; nothing was touched\n", unit.id,
             image.content.size(), image.path, image.address, unit.flasher.by(),
             image.build_id.empty() ? "" : ", and prove that build " + image.build_id + " runs", unit.port);
  const ToolConfig& tool = unit.flasher.tool;
  for (const ToolCommand* command : {&tool.erase, &tool.write, &tool.read, &tool.start}) {
    if (command->command.empty()) continue;
    std::vector<std::string> words;
    for (const std::string& word : command->command) words.push_back(filled(word, tool.arguments));
    fmt::print("  {}\n", command_text(words));
  }
}

/// The end of what the last program said that was to flash the board.
void tell_tool_output(const EvidenceLog& evidence) {
  static constexpr std::size_t max_told = 20;
  std::vector<EvidencePtr> lines = evidence.all([](const Evidence& one) { return one.kind == "tool_line"; });
  const auto runs = evidence.all([](const Evidence& one) { return one.kind == "tool_started"; });
  std::erase_if(lines, [&](const EvidencePtr& line) { return line->number < runs.back()->number; });
  for (std::size_t index = lines.size() - std::min(lines.size(), max_told); index < lines.size(); ++index) {
    fmt::print(stderr, "  {}\n", lines[index]->text("text"));
  }
}

/// A unit in our hands, and what is recorded of its traffic.
struct Held {
  UnitLock lock;
  SystemClock clock;
  EvidenceLog evidence{clock};
  std::unique_ptr<UsbRecorder> recorder;  // outlives what it is told by
  MadeUnit made;

  /// Whether all was recorded.
  [[nodiscard]] Result<void> recorded() const { return recorder == nullptr ? Result<void>() : recorder->trouble(); }
};

Result<std::unique_ptr<Held>> take(const BenchUnit& unit, const Arguments& arguments) {
  const auto tell = [&](const std::string& holder) {
    fmt::print(stderr, "hilmark: unit {} is held by {}; waiting for it\n", unit.id, printable(holder));
  };
  auto lock = UnitLock::acquire(lock_name(unit.port, unit.id), {.limit = arguments.wait, .on_wait = tell});
  if (!lock) return fail(lock.error(), "unit {}", unit.id);
  std::unique_ptr<Held> held(new Held{.lock = std::move(*lock)});
  if (!arguments.record.empty()) {
    auto created = UsbRecorder::create(arguments.record, held->clock);
    if (!created) return fail(created.error());
    held->recorder = std::move(*created);
  }
  auto made = make_unit(unit, {}, held->clock, held->evidence);
  if (!made) return fail(made.error());
  held->made = std::move(*made);
  if (held->recorder != nullptr) {
    held->made.usb->on_transfer([recorder = held->recorder.get()](const UsbTransfer& done) { recorder->add(done); });
  }
  return held;
}

Result<int> write(const BenchUnit& unit, const Arguments& arguments) {
  const auto image = load_image(unit, arguments.image);
  if (!image) return fail(image.error(), "unit {}", unit.id);
  if (arguments.dry_run) {
    tell_plan(unit, *image);
    return 0;
  }
  const auto held = take(unit, arguments);
  if (!held) return fail(held.error());
  RunProgress progress(stderr, RunProgress::look_of(stderr), 0);
  StepRate rate((*held)->clock, image->content.size());
  const auto report = (*held)->made.unit->flash(*image, [&](std::string_view step, double fraction) {
    progress.unit_at(unit.id, rate.text(step, fraction));
    progress.redraw();
  });
  if (!report) {
    tell_tool_output((*held)->evidence);
    return fail(report.error());
  }
  if (const auto whole = (*held)->recorded(); !whole) return fail(whole.error());
  progress.line(
      fmt::format("{}: {} octets written{}{}, in {} ms{}", unit.id, report->bytes_written,
                  report->verified ? " and read back" : " (it cannot be read back)",
                  report->sectors_erased > 0 ? fmt::format(", {} sectors erased", report->sectors_erased) : "",
                  report->duration.count(), image->build_id.empty() ? "" : "; build " + image->build_id + " runs"));
  return 0;
}

Result<int> read(const BenchUnit& unit, const Arguments& arguments) {
  const std::uint32_t size = arguments.bytes.value_or(unit.image.max_bytes);
  if (size > unit.image.max_bytes) {
    return fail(ErrorKind::usage, "unit {}: expected at most {} octets for --bytes, its room for an image; got {}",
                unit.id, unit.image.max_bytes, size);
  }
  if (arguments.dry_run) {
    fmt::print("{}: would read {} octets at {:#010x} by {}, at port {}, into {}; nothing was touched\n", unit.id, size,
               unit.image.base, unit.flasher.by(), unit.port, arguments.read.string());
    return 0;
  }
  // Before the unit is touched.
  const UniqueFd file(::open(arguments.read.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  if (!file) return fail(ErrorKind::usage, "{} cannot be written: {}", arguments.read.string(), errno_text(errno));
  const auto held = take(unit, arguments);
  if (!held) return fail(held.error());
  const auto content = (*held)->made.unit->read_flash(unit.image.base, size);
  if (!content) {
    tell_tool_output((*held)->evidence);
    return fail(content.error());
  }
  if (const auto whole = (*held)->recorded(); !whole) return fail(whole.error());
  // Not before: a reading that fails leaves what an earlier one brought.
  if (::ftruncate(file.get(), 0) != 0 || !write_all(file.get(), as_text(*content))) {
    return fail(ErrorKind::rig, "{} could not be written: {}", arguments.read.string(), errno_text(errno));
  }
  fmt::print(stderr, "{}: {} octets read into {}\n", unit.id, content->size(), arguments.read.string());
  return 0;
}

Result<int> flash(const Arguments& arguments) {
  if (arguments.image.empty() && arguments.read.empty()) {
    return fail(ErrorKind::usage, "expected an image to write, or --read FILE; got neither");
  }
  const Selection selection{.units = {arguments.unit}, .areas = {}, .cases = {}};
  auto bench = find_bench(arguments.lab, selection);
  if (!bench) return fail(bench.error());
  const auto* unit = std::find_if(bench->units.data(), bench->units.data() + bench->units.size(),
                                  [&](const BenchUnit& entry) { return entry.id == arguments.unit; });
  if (unit == bench->units.data() + bench->units.size()) {
    return fail(ErrorKind::usage, "no unit `{}` in {}", arguments.unit, arguments.lab.string());
  }
  if (!unit->can(Capability::flash)) return fail(ErrorKind::usage, "unit {} cannot be flashed", unit->id);
  return arguments.read.empty() ? write(*unit, arguments) : read(*unit, arguments);
}

}  // namespace

void add_flash(CLI::App& app, Context& context) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command =
      app.add_subcommand("flash", "Write an image, read it back, and prove that it is what runs; or only read");
  command->add_option("--lab", arguments->lab, "The lab file")->required()->type_name("FILE");
  command->add_option("--unit", arguments->unit, "The unit")->required()->type_name("ID");
  auto* const image = command->add_option("IMAGE", arguments->image, "The image")->type_name("");
  auto* const read =
      command->add_option("--read", arguments->read, "Write nothing; read what the image's room holds into this file")
          ->type_name("FILE")
          ->excludes(image);
  command->add_option("--bytes", arguments->bytes, "With --read: only so many from its beginning")
      ->type_name("N")
      ->check(CLI::PositiveNumber)
      ->needs(read);
  command
      ->add_option("--record", arguments->record, "Write all control and bulk transfers there, one JSON object a line")
      ->type_name("FILE");
  command->add_flag("--dry-run", arguments->dry_run,
                    "Check lab, unit and image, say what would be done, touch nothing");
  add_wait_option(*command, arguments->wait);
  command->footer(
      "Examples:\n"
      "  hilmark flash --lab lab.yaml --unit bench-1 build/images/golden.img\n"
      "  hilmark flash --lab lab.yaml --unit bench-1 build/images/golden.img --wait 5m\n"
      "  hilmark flash --lab lab.yaml --unit bench-1 --read back.bin");
  command->callback([arguments, &context] { context.chosen = [arguments] { return flash(*arguments); }; });
}

}  // namespace hilmark::cli
