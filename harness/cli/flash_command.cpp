// hilmark flash
#include <CLI/CLI.hpp>

#include "drivers/unit/unit_lock.h"
#include "drivers/usb/usb_recording.h"
#include "harness/base/evidence.h"
#include "harness/base/temporary_folder.h"
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
             image.content.size(), image.path, image.address, unit.flasher.protocol,
             image.build_id.empty() ? "" : ", and prove that build " + image.build_id + " runs", unit.port);
}

Result<int> flash(const Arguments& arguments) {
  const Selection selection{.units = {arguments.unit}, .areas = {}, .cases = {}};
  auto bench = find_bench(arguments.lab, selection);
  if (!bench) return fail(bench.error());
  const auto* unit = std::find_if(bench->units.data(), bench->units.data() + bench->units.size(),
                                  [&](const BenchUnit& entry) { return entry.id == arguments.unit; });
  if (unit == bench->units.data() + bench->units.size()) {
    return fail(ErrorKind::usage, "no unit `{}` in {}", arguments.unit, arguments.lab.string());
  }
  if (!unit->can(Capability::flash)) return fail(ErrorKind::usage, "unit {} cannot be flashed", unit->id);
  const auto image = load_image(*unit, arguments.image);
  if (!image) return fail(image.error(), "unit {}", unit->id);
  if (arguments.dry_run) {
    tell_plan(*unit, *image);
    return 0;
  }
  const auto lock = UnitLock::acquire(lock_name(unit->port, unit->id));
  if (!lock) return fail(lock.error(), "unit {}", unit->id);

  const SystemClock clock;
  EvidenceLog evidence(clock);
  std::unique_ptr<UsbRecorder> recorder;  // outlives what it is told by
  if (!arguments.record.empty()) {
    auto created = UsbRecorder::create(arguments.record, clock);
    if (!created) return fail(created.error());
    recorder = std::move(*created);
  }
  auto made = make_unit(*unit, {}, clock, evidence);
  if (!made) return fail(made.error());
  if (recorder != nullptr) made->usb->on_transfer([&](const UsbTransfer& transfer) { recorder->add(transfer); });
  RunProgress progress(stderr, RunProgress::look_of(stderr), 0);
  StepRate rate(clock, image->content.size());
  const auto report = made->unit->flash(*image, [&](std::string_view step, double fraction) {
    progress.unit_at(unit->id, rate.text(step, fraction));
    progress.redraw();
  });
  if (!report) return fail(report.error());
  if (recorder != nullptr) {
    if (const auto whole = recorder->trouble(); !whole) return fail(whole.error());
  }
  progress.line(fmt::format("{}: {} octets written{}, {} sectors erased, in {} ms{}", unit->id, report->bytes_written,
                            report->verified ? " and read back" : " (its bootloader cannot be read back)",
                            report->sectors_erased, report->duration.count(),
                            image->build_id.empty() ? "" : "; build " + image->build_id + " runs"));
  return 0;
}

}  // namespace

void add_flash(CLI::App& app, Context& context) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("flash", "Write an image, read it back, and prove that it is what runs");
  command->add_option("--lab", arguments->lab, "The lab file")->required()->type_name("FILE");
  command->add_option("--unit", arguments->unit, "The unit")->required()->type_name("ID");
  command->add_option("IMAGE", arguments->image, "The image")->required()->type_name("");
  command
      ->add_option("--record", arguments->record, "Write all control and bulk transfers there, one JSON object a line")
      ->type_name("FILE");
  command->add_flag("--dry-run", arguments->dry_run,
                    "Check lab, unit and image, say what would be done, touch nothing");
  command->footer("Example:\n  hilmark flash --lab lab.yaml --unit bench-1 build/images/golden.img");
  command->callback([arguments, &context] { context.chosen = [arguments] { return flash(*arguments); }; });
}

}  // namespace hilmark::cli
