#include "drivers/picoboot/picoboot_flasher.h"

namespace hilmark {

Result<PicobootFlasher> PicobootFlasher::make(PicobootPort& port, const PicobootFlash& flash, const Clock& clock) {
  const bool whole = flash.base % picoboot_sector_bytes == 0 && flash.size_bytes % picoboot_sector_bytes == 0;
  const bool fits = std::uint64_t{flash.base} + flash.size_bytes <= std::uint64_t{1} << 32;
  if (!whole || !fits || flash.size_bytes == 0) {
    return fail(ErrorKind::usage,
                "{}: a flash of {} bytes at {:#010x} has no whole sectors of {}; the chip file's flasher is wrong",
                port.device_text(), flash.size_bytes, flash.base, picoboot_sector_bytes);
  }
  return PicobootFlasher(port, flash, clock);
}

PicobootEvent PicobootFlasher::carry_out(const PicobootAction& action, Bytes& received) {
  const bool gives =
      std::holds_alternative<PicobootReceive>(action) || std::holds_alternative<PicobootAskStatus>(action);
  auto answer = [&] {
    if (const auto* send = std::get_if<PicobootSend>(&action)) return port_->send(send->data);
    if (const auto* receive = std::get_if<PicobootReceive>(&action)) return port_->receive(receive->size_bytes);
    return gives ? port_->command_status() : port_->reset_interface();
  }();
  if (!answer) return PicobootGone{answer.error()};
  if (std::holds_alternative<PicobootPort::Stall>(*answer)) return PicobootStalled{};
  if (!gives) return PicobootSent{};
  received = std::get<Bytes>(std::move(*answer));
  return PicobootReceived{received};
}

Result<Bytes> PicobootFlasher::run(std::vector<PicobootOperation> operations, const FlashWork& work,
                                   const Deadline& deadline) {
  PicobootCore core(flash_.chip, std::move(operations));
  Bytes received;
  const auto done = run_flash_core<PicobootFailed, PicobootDone>(
      core, PicobootEvent(PicobootStart{}), port_->device_text(), work, deadline,
      [&](const PicobootAction& action) { return carry_out(action, received); });
  if (!done) return fail(done.error());
  return core.read_bytes();
}

Result<void> PicobootFlasher::check_range(std::uint32_t address, std::size_t size_bytes) const {
  const bool inside = address >= flash_.base && address - flash_.base <= flash_.size_bytes &&
                      size_bytes <= flash_.size_bytes - (address - flash_.base);
  if (inside) return {};
  return fail(ErrorKind::usage, "{}: {} bytes at {:#010x} do not lie in its flash of {} bytes at {:#010x}",
              port_->device_text(), size_bytes, address, flash_.size_bytes, flash_.base);
}

Result<FlashReport> PicobootFlasher::write(std::uint32_t address, ByteView content, const Progress& progress,
                                           const Deadline& deadline) {
  const SteadyTime start = clock_->now();
  if (const auto inside = check_range(address, content.size()); !inside) return fail(inside.error());
  if (content.empty()) return FlashReport{};
  // Whole pages; what was not asked for stays as erased flash is.
  const std::uint32_t first = address / picoboot_page_bytes * picoboot_page_bytes;
  Bytes pages(address - first, 0xff);
  pages.insert(pages.end(), content.begin(), content.end());
  pages.resize((pages.size() + picoboot_page_bytes - 1) / picoboot_page_bytes * picoboot_page_bytes, 0xff);
  const auto written = run(picoboot_download(first, pages), {"writing", progress}, deadline);
  if (!written) return fail(written.error());
  const auto back = run(picoboot_upload(address, content.size()), {"verifying", progress}, deadline);
  if (!back) return fail(back.error());
  const auto same = compare_flash(port_->device_text(), address, content, *back);
  if (!same) return fail(same.error());
  const std::size_t last_sector = (address + (content.size() - 1)) / picoboot_sector_bytes;
  return FlashReport{content.size(), last_sector - address / picoboot_sector_bytes + 1,
                     std::chrono::duration_cast<Milliseconds>(clock_->now() - start)};
}

Result<Bytes> PicobootFlasher::read(std::uint32_t address, std::size_t size_bytes, const Progress& progress,
                                    const Deadline& deadline) {
  if (const auto inside = check_range(address, size_bytes); !inside) return fail(inside.error());
  return run(picoboot_upload(address, size_bytes), {"reading", progress}, deadline);
}

Result<void> PicobootFlasher::start(std::uint32_t address, const Deadline& deadline) {
  if (address != flash_.base) {
    return fail(ErrorKind::usage, "{} starts what is at {:#010x}, not at {:#010x}", port_->device_text(), flash_.base,
                address);
  }
  const auto left = run(picoboot_reboot(), {"rebooting", {}}, deadline);
  if (!left) return fail(left.error());
  return {};
}

}  // namespace hilmark
