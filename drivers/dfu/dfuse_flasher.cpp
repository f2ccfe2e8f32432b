#include "drivers/dfu/dfuse_flasher.h"

#include <algorithm>

namespace hilmark {
namespace {

constexpr std::uint16_t dfuse_version = 0x011a;
constexpr std::uint16_t max_transfer_bytes = 4096;  // Linux's usbfs takes no longer control transfer.

DfuEvent event_of(const DfuPort::Answer& answer) {
  if (!answer) return DfuGone{answer.error()};
  if (std::holds_alternative<DfuPort::Stall>(*answer)) return DfuStalled{};
  return DfuSent{};
}

}  // namespace

struct DfuSeFlasher::Work {
  std::vector<DfuSeOperation> operations;
  std::string step;  ///< "writing"
  const Progress* progress = nullptr;
};

Result<DfuSeFlasher> DfuSeFlasher::make(DfuPort& port, const DfuSeMemory& memory, const DfuSeLayout& expected,
                                        const Clock& clock) {
  const DfuFunctional& functional = memory.functional;
  if (functional.version != dfuse_version) {
    return fail(ErrorKind::usage,
                "{} speaks DFU version {:#06x}, not DfuSe ({:#06x}); its chip file names the wrong flasher",
                port.device_text(), functional.version, dfuse_version);
  }
  if (!functional.can_download || !functional.can_upload || functional.transfer_bytes == 0) {
    return fail(ErrorKind::usage,
                "{} lets its flash not be written and read back (download {}, upload {}, wTransferSize {})",
                port.device_text(), functional.can_download, functional.can_upload, functional.transfer_bytes);
  }
  if (memory.layout.sectors != expected.sectors) {
    return fail(ErrorKind::usage,
                "{} says that its {} has {} sectors, the chip file says {}, or of other sizes; is it another "
                "chip than the lab file names?",
                port.device_text(), memory.layout.name, memory.layout.sectors.size(), expected.sectors.size());
  }
  return DfuSeFlasher(port, memory.layout, std::min(functional.transfer_bytes, max_transfer_bytes), clock);
}

Result<Bytes> DfuSeFlasher::run(const Work& work, const Deadline& deadline) {
  DfuSeCore core(work.operations);
  Bytes received;
  DfuEvent event = DfuStart{};
  std::size_t told = 0;
  for (;;) {
    const DfuAction action = core.next(event);
    if (const auto* failed = std::get_if<DfuFailed>(&action)) {
      return fail(failed->error, "{}", port_->device_text());
    }
    if (work.progress != nullptr && *work.progress && core.operations_done() * 100 / work.operations.size() > told) {
      told = core.operations_done() * 100 / work.operations.size();
      (*work.progress)(work.step, static_cast<double>(told) / 100);
    }
    if (std::holds_alternative<DfuDone>(action)) return core.read_bytes();
    if (deadline.expired()) {
      return fail(ErrorKind::timeout, "{}: {} was not done within {} ms, at {} of {} steps", port_->device_text(),
                  work.step, deadline.span().count(), core.operations_done(), work.operations.size());
    }
    if (const auto* send = std::get_if<DfuSend>(&action)) {
      event = event_of(port_->send(send->request, send->value, send->data));
    } else if (const auto* receive = std::get_if<DfuReceive>(&action)) {
      auto answer = port_->receive(receive->request, receive->value, receive->size_bytes);
      event = event_of(answer);
      if (answer && std::holds_alternative<Bytes>(*answer)) {
        received = std::get<Bytes>(std::move(*answer));
        event = DfuReceived{received};
      }
    } else {
      const auto waited = port_->wait(std::get<DfuWait>(action).time);
      event = waited ? DfuEvent(DfuWaited{}) : DfuEvent(DfuGone{waited.error()});
    }
  }
}

Result<void> DfuSeFlasher::check_reach(std::size_t size_bytes) const {
  if (size_bytes <= dfuse_reach_bytes(transfer_bytes_)) return {};
  return fail(ErrorKind::usage, "{} bytes are more than DfuSe reaches with blocks of {}", size_bytes, transfer_bytes_);
}

Result<FlashReport> DfuSeFlasher::write(std::uint32_t address, ByteView content, const Progress& progress,
                                        const Deadline& deadline) {
  const SteadyTime start = clock_->now();
  if (const auto fits = check_reach(content.size()); !fits) return fail(fits.error());
  const auto sectors = layout_.covering(address, content.size());
  if (!sectors) return fail(sectors.error(), "{}", port_->device_text());
  std::vector<std::uint32_t> erase;
  for (const DfuSeSector& sector : *sectors) {
    if (!sector.erasable || !sector.writable || !sector.readable) {
      return fail(ErrorKind::usage, "{}: the sector at {:#010x} is not for writing", port_->device_text(),
                  sector.address);
    }
    erase.push_back(sector.address);
  }
  const auto written = run({dfuse_download(erase, address, content, transfer_bytes_), "writing", &progress}, deadline);
  if (!written) return fail(written.error());
  const auto back = run({dfuse_upload(address, content.size(), transfer_bytes_), "verifying", &progress}, deadline);
  if (!back) return fail(back.error());
  const auto [in_image, in_flash] = std::mismatch(content.begin(), content.end(), back->begin(), back->end());
  if (in_image != content.end()) {
    return fail(ErrorKind::unit, "{}: the flash does not hold what was written: {:#04x} instead of {:#04x} at {:#010x}",
                port_->device_text(), *in_flash, *in_image, address + (in_image - content.begin()));
  }
  return FlashReport{content.size(), erase.size(), std::chrono::duration_cast<Milliseconds>(clock_->now() - start)};
}

Result<Bytes> DfuSeFlasher::read(std::uint32_t address, std::size_t size_bytes, const Progress& progress,
                                 const Deadline& deadline) {
  if (const auto fits = check_reach(size_bytes); !fits) return fail(fits.error());
  const auto sectors = layout_.covering(address, size_bytes);
  if (!sectors) return fail(sectors.error(), "{}", port_->device_text());
  return run({dfuse_upload(address, size_bytes, transfer_bytes_), "reading", &progress}, deadline);
}

Result<void> DfuSeFlasher::leave(std::uint32_t address, const Deadline& deadline) {
  const auto left = run({dfuse_leave(address), "leaving", nullptr}, deadline);
  if (!left) return fail(left.error());
  return {};
}

}  // namespace hilmark
