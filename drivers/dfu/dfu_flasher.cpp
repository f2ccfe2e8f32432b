#include "drivers/dfu/dfu_flasher.h"

#include <algorithm>

namespace hilmark {
namespace {

constexpr std::uint16_t first_version = 0x0100;
constexpr std::uint16_t last_version = 0x0110;

}  // namespace

DfuFlasher::DfuFlasher(DfuPort& port, const DfuFunctional& functional, const DfuFlashPlace& place, const Clock& clock)
    : port_(&port),
      functional_(functional),
      place_(place),
      transfer_bytes_(std::min(functional.transfer_bytes, dfu_max_transfer_bytes)),
      clock_(&clock) {}

Result<DfuFlasher> DfuFlasher::make(DfuPort& port, const DfuFunctional& functional, const DfuFlashPlace& place,
                                    const Clock& clock) {
  if (functional.version < first_version || functional.version > last_version) {
    return fail(ErrorKind::usage,
                "{} speaks DFU version {:#06x}, not 1.0 or 1.1; its chip file names the wrong flasher",
                port.device_text(), functional.version);
  }
  if (!functional.can_download) {
    return fail(ErrorKind::usage, "{} lets its flash not be written (bitCanDnload)", port.device_text());
  }
  if (const auto size = check_block_size(port, functional); !size) return fail(size.error());
  return DfuFlasher(port, functional, place, clock);
}

Result<void> DfuFlasher::check_place(std::uint32_t address, std::size_t size_bytes) const {
  const std::size_t offset = address - std::size_t{place_.base};
  if (address >= place_.base && offset <= place_.max_bytes && size_bytes <= place_.max_bytes - offset) return {};
  return fail(ErrorKind::usage, "{}: {} bytes at {:#010x} do not fit: it has {} from {:#010x} on", port_->device_text(),
              size_bytes, address, place_.max_bytes, place_.base);
}

Result<FlashReport> DfuFlasher::write(std::uint32_t address, ByteView content, const Progress& progress,
                                      const Deadline& deadline) {
  const SteadyTime start = clock_->now();
  if (const auto fits = check_place(address, content.size()); !fits) return fail(fits.error());
  if (address != place_.base || content.empty()) {
    return fail(ErrorKind::usage,
                "{}: plain DFU writes a whole firmware from {:#010x} on; {} bytes at {:#010x} are none",
                port_->device_text(), place_.base, content.size(), address);
  }
  DfuCore core(dfu_download(content, transfer_bytes_), functional_.manifestation_tolerant);
  if (const auto done = run_dfu(core, *port_, {"writing", progress}, deadline); !done) return fail(done.error());
  const bool verifies = functional_.can_upload && core.is_idle();
  if (verifies) {
    const auto back = upload(content.size(), {"verifying", progress}, deadline);
    if (!back) return fail(back.error());
    if (const auto same = compare_flash(port_->device_text(), address, content, *back); !same)
      return fail(same.error());
  }
  return FlashReport{content.size(), 0, std::chrono::duration_cast<Milliseconds>(clock_->now() - start), verifies};
}

Result<Bytes> DfuFlasher::upload(std::size_t size_bytes, const FlashWork& work, const Deadline& deadline) {
  DfuCore core(dfu_upload(size_bytes, transfer_bytes_), functional_.manifestation_tolerant);
  if (const auto done = run_dfu(core, *port_, work, deadline); !done) return fail(done.error());
  Bytes read = core.read_bytes();
  read.resize(std::min(read.size(), size_bytes));
  return read;
}

Result<Bytes> DfuFlasher::read(std::uint32_t address, std::size_t size_bytes, const Progress& progress,
                               const Deadline& deadline) {
  if (!functional_.can_upload) {
    return fail(ErrorKind::usage, "{} lets its flash not be read (no bitCanUpload)", port_->device_text());
  }
  if (const auto fits = check_place(address, size_bytes); !fits) return fail(fits.error());
  const std::size_t offset = address - place_.base;
  auto read = upload(offset + size_bytes, {"reading", progress}, deadline);
  if (!read) return read;
  if (read->size() < offset + size_bytes) {
    return fail(ErrorKind::unit, "{}: its upload ended after {} bytes, short of {:#010x}", port_->device_text(),
                read->size(), address + size_bytes);
  }
  return Bytes(read->begin() + static_cast<std::ptrdiff_t>(offset), read->end());
}

Result<void> DfuFlasher::start(std::uint32_t /*address*/, const Deadline& deadline) {
  DfuCore core({{DfuOperation::Kind::reset_bus}}, functional_.manifestation_tolerant);
  return run_dfu(core, *port_, {"leaving", {}}, deadline);
}

}  // namespace hilmark
