// hilmark flash
#include <array>
#include <atomic>
#include <thread>

#include <CLI/CLI.hpp>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "drivers/image/firmware_image.h"
#include "drivers/unit/open_flasher.h"
#include "drivers/unit/unit_lock.h"
#include "drivers/usb/usb_recording.h"
#include "harness/base/bytes.h"
#include "harness/base/end_signals.h"
#include "harness/base/evidence.h"
#include "harness/base/write_all.h"
#include "harness/cli/commands.h"
#include "harness/conductor/preflight.h"
#include "harness/conductor/run_progress.h"
#include "harness/conductor/unit_factory.h"
#include "harness/inventory/plugged_unit.h"

namespace hilmark::cli {
namespace {

struct Arguments {
  std::filesystem::path lab;
  std::string unit;
  PluggedChoice plugged;  ///< without a lab file
  std::filesystem::path image;
  std::filesystem::path record;
  std::filesystem::path read;
  std::optional<std::uint32_t> bytes;
  Milliseconds wait{0};
  bool mass_erase = false;
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

void tell_plan(const BenchUnit& unit, const FirmwareImage& image, bool mass_erase) {
  fmt::print("{}: would {}write {} octets of {} at {:#010x} by {}{}, at port {}; nothing was touched\n", unit.id,
             mass_erase ? "erase all of its flash, identity and settings included, then " : "", image.content.size(),
             image.path, image.address, unit.flasher.by(),
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

/// While it lives, a signal that asks us to end leaves a tool the time to end in good order, and the board the time to
/// be started again: no chip is left halted, no probe busy. Without a tool it ends us at once, and says in which state
/// the board may be. Made before there are other threads.
class OrderlyEnd {
 public:
  OrderlyEnd(std::string unit, bool tool) : unit_(std::move(unit)), tool_(tool) {
    ::pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
    asked_.reset(::signalfd(-1, &signals_, SFD_CLOEXEC | SFD_NONBLOCK));
    done_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    watcher_ = std::thread([this] { watch(); });
  }
  OrderlyEnd(const OrderlyEnd&) = delete;
  OrderlyEnd& operator=(const OrderlyEnd&) = delete;
  ~OrderlyEnd() {
    ::eventfd_write(done_.get(), 1);
    watcher_.join();
  }

  /// From now on its flash is changed.
  void begin_change() { changes_ = true; }

  /// The signal that asks us to end; 0: none has come.
  [[nodiscard]] int signal() {
    signalfd_siginfo asked{};
    if (signal_ == 0 && ::read(asked_.get(), &asked, sizeof asked) == sizeof asked) {
      signal_ = static_cast<int>(asked.ssi_signo);
    }
    return signal_;
  }

 private:
  static constexpr int grace_ms = 15'000;  // for a tool's end, and for another that starts the board

  void watch() {
    std::array<pollfd, 2> wake{{{done_.get(), POLLIN, 0}, {asked_.get(), POLLIN, 0}}};
    while (::poll(wake.data(), wake.size(), -1) < 0) {
    }
    if (wake[0].revents != 0) return;
    if (tool_) {
      // It stays pending: whoever runs a tool sees it so.
      fmt::print(stderr, "hilmark: asked to end; ending what is under way\n");
      if (::poll(wake.data(), 1, grace_ms) > 0) return;
    } else {
      fmt::print(stderr, "hilmark: asked to end; unit {} {}\n", unit_,
                 changes_ ? "may hold half of an image, and may be in its bootloader: flash it anew"
                          : "may be in its bootloader; its flash was not changed");
    }
    ::pthread_sigmask(SIG_UNBLOCK, &signals_, nullptr);  // it takes too long: so be it
  }

  const sigset_t signals_ = end_signals();
  const std::string unit_;
  const bool tool_;
  std::atomic<bool> changes_{false};
  int signal_ = 0;
  UniqueFd asked_;
  UniqueFd done_;
  std::thread watcher_;
};

/// A unit in our hands, and what is recorded of its traffic.
struct Held {
  UnitLock lock;
  SystemClock clock;
  EvidenceLog evidence{clock};
  std::optional<OrderlyEnd> orderly;
  std::unique_ptr<UsbRecorder> recorder;  // outlives what it is told by
  MadeUnit made;

  /// Whether all was recorded.
  [[nodiscard]] Result<void> recorded() const { return recorder == nullptr ? Result<void>() : recorder->trouble(); }
  /// What the command ends with for `error`, of which all has been told that this knows.
  [[nodiscard]] Result<int> failed(const Error& error, std::string_view remedy) {
    tell_tool_output(evidence);
    const int signal = orderly ? orderly->signal() : 0;
    if (error.kind != ErrorKind::interrupted || signal == 0) return fail(error);
    fmt::print(stderr, "hilmark: {}{}\n", printable(error.message), remedy);
    return 128 + signal;  // as a shell has it
  }
};

Result<std::unique_ptr<Held>> take(const BenchUnit& unit, const Arguments& arguments) {
  const auto tell = [&](const std::string& holder) {
    fmt::print(stderr, "hilmark: unit {} is held by {}; waiting for it\n", unit.id, printable(holder));
  };
  auto lock = UnitLock::acquire(lock_name(unit.port, unit.id), {.limit = arguments.wait, .on_wait = tell});
  if (!lock) return fail(lock.error(), "unit {}", unit.id);
  std::unique_ptr<Held> held(new Held{.lock = std::move(*lock)});
  held->orderly.emplace(unit.id, unit.flasher.protocol == "tool");
  if (!arguments.record.empty()) {
    auto created = UsbRecorder::create(arguments.record, held->clock);
    if (!created) return fail(created.error());
    held->recorder = std::move(*created);
    if (unit.flasher.protocol == "tool") {
      fmt::print(stderr, "hilmark: what {} itself transfers is not recorded, only what hilmark does\n",
                 unit.flasher.by());
    }
  }
  auto made = make_unit(unit, {}, held->clock, held->evidence);
  if (!made) return fail(made.error());
  held->made = std::move(*made);
  if (held->recorder != nullptr) {
    held->made.usb->on_transfer([recorder = held->recorder.get()](const UsbTransfer& done) { recorder->add(done); });
  }
  return held;
}

/// Nothing but its bootloader is left of it then.
Result<int> erase(const BenchUnit& unit, Held& held, RunProgress& progress) {
  held.orderly->begin_change();
  const auto erased = held.made.unit->erase_flash([&](std::string_view step, double fraction) {
    progress.unit_at(unit.id, fmt::format("{} {:.0f} %", step, fraction * 100));
    progress.redraw();
  });
  if (!erased) return held.failed(erased.error(), "");
  progress.line(fmt::format("{}: all of its flash is erased", unit.id));
  return 0;
}

Result<int> erase_alone(const BenchUnit& unit, const Arguments& arguments) {
  if (arguments.dry_run) {
    fmt::print("{}: would erase all of its flash by {}, at port {}; nothing was touched\n", unit.id, unit.flasher.by(),
               unit.port);
    return 0;
  }
  const auto held = take(unit, arguments);
  if (!held) return fail(held.error());
  RunProgress progress(stderr, RunProgress::look_of(stderr), 0);
  return erase(unit, **held, progress);
}

Result<int> write(const BenchUnit& unit, const Arguments& arguments) {
  const auto image = load_image(unit, arguments.image);
  if (!image) return fail(image.error(), "unit {}", unit.id);
  if (arguments.dry_run) {
    tell_plan(unit, *image, arguments.mass_erase);
    return 0;
  }
  const auto held = take(unit, arguments);
  if (!held) return fail(held.error());
  RunProgress progress(stderr, RunProgress::look_of(stderr), 0);
  if (arguments.mass_erase) {
    if (auto erased = erase(unit, **held, progress); !erased || *erased != 0) return erased;
  }
  StepRate rate((*held)->clock, image->content.size());
  const auto report = (*held)->made.unit->flash(*image, [&](std::string_view step, double fraction) {
    if (step == "erasing" || step == "writing") (*held)->orderly->begin_change();
    progress.unit_at(unit.id, rate.text(step, fraction));
    progress.redraw();
  });
  if (!report) return (*held)->failed(report.error(), "; its flash may hold half of an image: flash it anew");
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
  std::error_code ignored;
  const bool is_new = !std::filesystem::exists(arguments.read, ignored);
  const UniqueFd file(::open(arguments.read.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  if (!file) return fail(ErrorKind::usage, "{} cannot be written: {}", arguments.read.string(), errno_text(errno));
  const auto held = take(unit, arguments);
  if (!held) return fail(held.error());
  const auto content = (*held)->made.unit->read_flash(unit.image.base, size);
  if (!content) {
    if (is_new) std::filesystem::remove(arguments.read, ignored);
    return (*held)->failed(content.error(), "");
  }
  if (const auto whole = (*held)->recorded(); !whole) return fail(whole.error());
  // Not before: a reading that fails leaves what an earlier one brought.
  if (::ftruncate(file.get(), 0) != 0 || !write_all(file.get(), as_text(*content))) {
    return fail(ErrorKind::rig, "{} could not be written: {}", arguments.read.string(), errno_text(errno));
  }
  fmt::print(stderr, "{}: {} octets read into {}\n", unit.id, content->size(), arguments.read.string());
  return 0;
}

Result<BenchUnit> find_unit(const Arguments& arguments) {
  const PluggedChoice& plugged = arguments.plugged;
  if (arguments.lab.empty()) {
    const auto usb = UsbContext::make();
    if (!usb) return fail(usb.error());
    const std::vector<UsbPlugged> there = (*usb)->plugged();
    const bool absent =
        std::none_of(there.begin(), there.end(), [&](const UsbPlugged& device) { return device.port == plugged.port; });
    if (!plugged.board.empty() && !plugged.port.empty() && absent) {
      // All is said: whoever holds it now may have it away from the bus for a moment.
      return read_plugged_unit(plugged.board, plugged.port, BoardFolders::of_environment());
    }
    const std::string chip = arguments.image.empty() ? "" : chip_named_by_image(arguments.image);
    return find_plugged_unit(**usb, plugged, chip, BoardFolders::of_environment());
  }
  auto bench = find_bench_of(arguments.lab, arguments.unit);
  if (!bench) return fail(bench.error());
  return std::move(bench->units.front());
}

Result<int> flash(const Arguments& arguments) {
  if (arguments.image.empty() && arguments.read.empty() && !arguments.mass_erase) {
    return fail(ErrorKind::usage, "expected an image to write, --read FILE or --mass-erase; got none of them");
  }
  const auto unit = find_unit(arguments);
  if (!unit) return fail(unit.error());
  if (!unit->can(Capability::flash)) return fail(ErrorKind::usage, "unit {} cannot be flashed", unit->id);
  if (arguments.mass_erase && !has_mass_erase(unit->flasher.protocol)) {
    return fail(ErrorKind::usage, "unit {} is flashed by {}, which has no mass erase; that is DfuSe's", unit->id,
                unit->flasher.by());
  }
  if (!arguments.read.empty()) return read(*unit, arguments);
  return arguments.image.empty() ? erase_alone(*unit, arguments) : write(*unit, arguments);
}

}  // namespace

void add_flash(CLI::App& app, Context& context) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command =
      app.add_subcommand("flash", "Write an image, read it back, and prove that it is what runs; or only read");
  auto* const lab =
      command->add_option("--lab", arguments->lab, "The lab file; without it, the board is the one that is plugged in")
          ->type_name("FILE");
  auto* const unit = command->add_option("--unit", arguments->unit, "The unit of the lab file")->type_name("ID");
  lab->needs(unit);
  unit->needs(lab);
  PluggedChoice& plugged = arguments->plugged;
  command->add_option("--board", plugged.board, "Without a lab file: its board file's name, where several fit")
      ->type_name("NAME")
      ->excludes(lab);
  command->add_option("--port", plugged.port, "Without a lab file: its USB port, where several are plugged in")
      ->type_name("PORT")
      ->excludes(lab);
  command->add_option("--serial", plugged.serial, "Without a lab file: its USB serial number")
      ->type_name("SERIAL")
      ->excludes(lab);
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
      ->add_option("--record", arguments->record,
                   "Write all control and bulk transfers of ours there, one JSON object a line (not those of a tool)")
      ->type_name("FILE");
  command
      ->add_flag("--mass-erase", arguments->mass_erase,
                 "Erase all of the flash first, identity and settings included (DfuSe); without an image, nothing else")
      ->excludes(read);
  command->add_flag("--dry-run", arguments->dry_run,
                    "Check lab, unit and image, say what would be done, touch nothing");
  add_wait_option(*command, arguments->wait);
  command->footer(
      "Examples:\n"
      "  hilmark flash build/images/golden.img\n"
      "  hilmark flash --board rpi_pico_w --port 1-4.2 app.uf2\n"
      "  hilmark flash --lab lab.yaml --unit bench-1 build/images/golden.img\n"
      "  hilmark flash --lab lab.yaml --unit bench-1 build/images/golden.img --wait 5m\n"
      "  hilmark flash --lab lab.yaml --unit bench-1 --read back.bin\n"
      "\n"
      "Exit status: 0 done; 1 the board refused, or does not run what was written; 2 usage; 3 the rig failed, or "
      "the board left.");
  command->callback([arguments, &context] { context.chosen = [arguments] { return flash(*arguments); }; });
}

}  // namespace hilmark::cli
