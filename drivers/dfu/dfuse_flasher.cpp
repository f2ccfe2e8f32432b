#include "drivers/dfu/dfuse_flasher.h"

#include <algorithm>

namespace hilmark {
namespace {

constexpr std::uint16_t dfuse_version = 0x011a;
constexpr std::uint8_t err_vendor = 0x0b;

}  // namespace

Result<DfuSeFlasher> DfuSeFlasher::make(DfuPort& port, const DfuSeMemory& memory, const DfuSeLayout& expected,
                                        const Clock& clock) {
  const DfuFunctional& functional = memory.functional;
  if (functional.version != dfuse_version) {
    return fail(ErrorKind::usage,
                "{} speaks DFU version {:#06x}, not DfuSe ({:#06x}); its chip file names the wrong flasher",
                port.device_text(), functional.version, dfuse_version);
  }
  if (!functional.can_download || !functional.can_upload) {
    return fail(ErrorKind::usage, "{} lets its flash not be written and read back (download {}, upload {})",
                port.device_text(), functional.can_download, functional.can_upload);
  }
  if (const auto size = check_block_size(port, functional); !size) return fail(size.error());
  if (memory.layout.sectors != expected.sectors) {
    return fail(ErrorKind::usage,
                "{} says that its {} has {} sectors, the chip file says {}, or of other sizes; is it another "
                "chip than the lab file names?",
                port.device_text(), memory.layout.name, memory.layout.sectors.size(), expected.sectors.size());
  }
  return DfuSeFlasher(port, memory, std::min(functional.transfer_bytes, dfu_max_transfer_bytes), clock);
}

Result<Bytes> DfuSeFlasher::run(std::vector<DfuSeOperation> operations, const FlashWork& work,
                                const Deadline& deadline) {
  DfuSeCore core(std::move(operations));
  const auto done = run_dfu(core, *port_, work, deadline);
  if (done) return core.read_bytes();
  // AN3156: reading, erasing or writing protected flash (RDP) ends in dfuERROR with errVENDOR.
  if (done.error().kind != ErrorKind::unit || core.status().status != err_vendor) return fail(done.error());
  const std::string where =
      memory_.option_bytes ? fmt::format(", set in its option bytes at {:#010x}", *memory_.option_bytes) : "";
  return fail(ErrorKind::unit,
              "{}; errVENDOR is how ST's bootloader says that the flash is read-protected (RDP{}); to unprotect it, "
              "which erases all of its flash, run dfu-util -a 0 -s :unprotect:force or set RDP to level 0 with "
              "STM32CubeProgrammer, then run again",
              done.error().message, where);
}

Result<void> DfuSeFlasher::check_reach(std::size_t size_bytes) const {
  if (size_bytes <= dfuse_reach_bytes(transfer_bytes_)) return {};
  return fail(ErrorKind::usage, "{} bytes are more than DfuSe reaches with blocks of {}", size_bytes, transfer_bytes_);
}

Result<std::vector<std::uint32_t>> DfuSeFlasher::to_erase(std::uint32_t address, std::size_t size_bytes) const {
  if (const auto fits = check_reach(size_bytes); !fits) return fail(fits.error());
  const auto sectors = memory_.layout.covering(address, size_bytes);
  if (!sectors) return fail(sectors.error(), "{}", port_->device_text());
  std::vector<std::uint32_t> erase;
  for (const DfuSeSector& sector : *sectors) {
    if (!sector.erasable || !sector.writable || !sector.readable) {
      return fail(ErrorKind::usage, "{}: the sector at {:#010x} is not for writing", port_->device_text(),
                  sector.address);
    }
    erase.push_back(sector.address);
  }
  return erase;
}

Result<FlashReport> DfuSeFlasher::write(std::uint32_t address, ByteView content, const Progress& progress,
                                        const Deadline& deadline) {
  const SteadyTime start = clock_->now();
  const auto erase = to_erase(address, content.size());
  if (!erase) return fail(erase.error());
  const auto written = run(dfuse_download(*erase, address, content, transfer_bytes_), {"writing", progress}, deadline);
  if (!written) return fail(written.error());
  const auto back = run(dfuse_upload(address, content.size(), transfer_bytes_), {"verifying", progress}, deadline);
  if (!back) return fail(back.error());
  if (const auto same = compare_flash(port_->device_text(), address, content, *back); !same) return fail(same.error());
  return FlashReport{content.size(), erase->size(), std::chrono::duration_cast<Milliseconds>(clock_->now() - start)};
}

Result<Bytes> DfuSeFlasher::read(std::uint32_t address, std::size_t size_bytes, const Progress& progress,
                                 const Deadline& deadline) {
  if (const auto fits = check_reach(size_bytes); !fits) return fail(fits.error());
  const auto sectors = memory_.layout.covering(address, size_bytes);
  if (!sectors) return fail(sectors.error(), "{}", port_->device_text());
  return run(dfuse_upload(address, size_bytes, transfer_bytes_), {"reading", progress}, deadline);
}

Result<void> DfuSeFlasher::erase_all(const Progress& progress, const Deadline& deadline) {
  const auto erased = run(dfuse_erase_all(), {"erasing", progress}, deadline);
  if (!erased) return fail(erased.error());
  return {};
}

Result<void> DfuSeFlasher::start(std::uint32_t address, const Deadline& deadline) {
  const auto left = run(dfuse_leave(address), {"leaving", {}}, deadline);
  if (!left) return fail(left.error());
  return {};
}

}  // namespace hilmark
