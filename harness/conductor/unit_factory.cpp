#include "harness/conductor/unit_factory.h"

#include "drivers/image/firmware_image.h"
#include "drivers/process/process_unit.h"
#include "drivers/unit/usb_unit.h"

namespace hilmark {
namespace {

/// The ids of the board's two programs, or of its probe.
Result<void> add_ids(const StateFacts& states, UsbUnitConfig& config) {
  for (const std::string& text : states.probe) {
    const auto id = parse_usb_id(text);
    if (!id) return fail(id.error());
    config.probe.push_back(*id);
  }
  if (!states.probe.empty()) return {};
  const auto bootloader = parse_usb_id(states.bootloader);
  if (!bootloader) return fail(bootloader.error());
  const auto application = parse_usb_id(states.application);
  if (!application) return fail(application.error());
  config.bootloader = *bootloader;
  config.application = *application;
  return {};
}

/// Before any unit is touched: the programs that it is flashed by, and read by.
Result<void> check_tool(const BenchUnit& bench_unit) {
  if (bench_unit.flasher.protocol != "tool") return {};
  return check_programs(bench_unit.flasher.tool);
}

Result<MadeUnit> make_usb(const BenchUnit& bench_unit, const Clock& clock, EvidenceLog& evidence) {
  if (const auto there = check_tool(bench_unit); !there) return fail(there.error());
  UsbUnitConfig config;
  if (const auto added = add_ids(bench_unit.states, config); !added) return fail(added.error());
  config.info = bench_unit.info();
  config.flasher = {.protocol = bench_unit.flasher.protocol,
                    .layout = bench_unit.flasher.layout,
                    .base = bench_unit.image.base,
                    .max_bytes = bench_unit.image.max_bytes,
                    .tool = bench_unit.flasher.tool};
  config.topic = "hilmark/" + bench_unit.id;
  config.commands_file = bench_unit.commands_file;
  config.console = bench_unit.console.config;
  config.settings.assign(bench_unit.settings.begin(), bench_unit.settings.end());
  const PowerFacts& power = bench_unit.power;
  config.power = {.hub = power.hub,
                  .port = static_cast<int>(power.port),
                  .on = power.on,
                  .off = power.off,
                  .cycle = power.cycle,
                  .boot_pin = power.boot_pin};
  MadeUnit made;
  auto usb = UsbContext::make();
  if (!usb) return fail(usb.error());
  made.usb = std::move(*usb);
  auto unit = make_usb_unit(std::move(config), *made.usb, clock, evidence);
  if (!unit) return fail(unit.error());
  made.unit = std::move(*unit);
  return made;
}

}  // namespace

Result<MadeUnit> make_unit(const BenchUnit& bench_unit, const std::filesystem::path& folder, const Clock& clock,
                           EvidenceLog& evidence) {
  if (bench_unit.kind != "process") return make_usb(bench_unit, clock, evidence);
  ProcessUnitConfig config;
  config.info = bench_unit.info();
  config.command = bench_unit.command;
  config.files = folder;
  config.topic = "hilmark/" + bench_unit.id;
  MadeUnit made;
  auto unit = make_process_unit(std::move(config), clock, evidence);
  if (!unit) return fail(unit.error());
  made.unit = std::move(*unit);
  return made;
}

Result<FirmwareImage> load_image(const BenchUnit& bench_unit, const std::filesystem::path& path) {
  if (const auto there = check_tool(bench_unit); !there) return fail(there.error());
  ImageRules rules;
  rules.chip = bench_unit.chip;
  rules.formats = {bench_unit.image.formats.begin(), bench_unit.image.formats.end()};
  rules.base = bench_unit.image.base;
  rules.max_bytes = bench_unit.image.max_bytes;
  if (bench_unit.states.probe.empty()) {
    const auto bootloader = parse_usb_id(bench_unit.states.bootloader);
    if (!bootloader) return fail(bootloader.error());
    rules.bootloader = *bootloader;
  }
  rules.uf2_family = bench_unit.image.uf2_family;
  return load_firmware_image(path, rules);
}

}  // namespace hilmark
