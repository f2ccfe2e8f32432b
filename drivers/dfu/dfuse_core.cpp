#include "drivers/dfu/dfuse_core.h"

#include <algorithm>

namespace hilmark {
namespace {

constexpr std::uint8_t command_set_address = 0x21;
constexpr std::uint8_t command_erase = 0x41;
constexpr std::uint16_t first_data_block = 2;
constexpr std::uint16_t status_bytes = 6;
constexpr int max_recovery_attempts = 8;
constexpr int max_polls = 100'000;

Bytes command(std::uint8_t code, std::uint32_t address) {
  return {code, static_cast<std::uint8_t>(address), static_cast<std::uint8_t>(address >> 8),
          static_cast<std::uint8_t>(address >> 16), static_cast<std::uint8_t>(address >> 24)};
}

template <class... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};
template <class... Handlers>
Overloaded(Handlers...) -> Overloaded<Handlers...>;

}  // namespace

DfuAction DfuSeCore::next(const DfuEvent& event) {
  using Kind = DfuSeOperation::Kind;
  if (std::holds_alternative<DfuStart>(event)) return at_ < operations_.size() ? begin() : DfuDone{};
  return std::visit(Overloaded{
                        [&](const DfuStart&) -> DfuAction { return begin(); },
                        [&](const DfuSent&) -> DfuAction { return ask_status(); },
                        [&](const DfuReceived& received) -> DfuAction { return on_received(received.data); },
                        [&](const DfuWaited&) -> DfuAction { return act_on(status_); },
                        // A request that a state does not allow is answered by a stall, and dfuERROR: ask why.
                        [&](const DfuStalled&) -> DfuAction {
                          if (step_ == Step::status_asked) return refuse("its status request was refused");
                          stalled_ = true;
                          return ask_status();
                        },
                        // The board may be gone before it answers the last request.
                        [&](const DfuGone& gone) -> DfuAction {
                          if (operation().kind == Kind::leave) return finish();
                          return DfuFailed{gone.error.with_context(doing())};
                        },
                    },
                    event);
}

DfuAction DfuSeCore::begin() {
  using Kind = DfuSeOperation::Kind;
  busy_ = Milliseconds{0};
  attempts_ = 0;
  stalled_ = false;
  step_ = Step::command_sent;
  const DfuSeOperation& now = operation();
  switch (now.kind) {
    case Kind::to_idle:
      return ask_status();
    case Kind::erase:
      return DfuSend{DfuRequest::download, 0, command(command_erase, now.address)};
    case Kind::set_address:
      return DfuSend{DfuRequest::download, 0, command(command_set_address, now.address)};
    case Kind::write:
      return DfuSend{DfuRequest::download, static_cast<std::uint16_t>(now.block + first_data_block),
                     Bytes(now.data.begin(), now.data.end())};
    case Kind::read:
      step_ = Step::data_asked;
      return DfuReceive{DfuRequest::upload, static_cast<std::uint16_t>(now.block + first_data_block), now.size_bytes};
    case Kind::leave:
      return DfuSend{DfuRequest::download, 0, {}};
  }
  return refuse("no such operation");
}

DfuAction DfuSeCore::finish() {
  ++at_;
  return at_ < operations_.size() ? begin() : DfuDone{};
}

DfuAction DfuSeCore::ask_status() {
  step_ = Step::status_asked;
  return DfuReceive{DfuRequest::get_status, 0, status_bytes};
}

DfuAction DfuSeCore::on_received(ByteView data) {
  if (step_ == Step::data_asked) {
    if (data.size() != operation().size_bytes) {
      return refuse(fmt::format("it sent {} of the {} bytes asked for", data.size(), operation().size_bytes));
    }
    read_.insert(read_.end(), data.begin(), data.end());
    return finish();
  }
  const auto status = parse_dfu_status(data);
  if (!status) return refuse(fmt::format("its status is no DFU status: {}", to_hex(data)));
  return on_status(*status);
}

DfuAction DfuSeCore::on_status(const DfuStatus& status) {
  status_ = status;
  if (status.poll_timeout.count() == 0) return act_on(status);
  busy_ += status.poll_timeout;
  if (busy_ > max_busy) return refuse(fmt::format("it wants {} ms for this, which is too long", busy_.count()));
  return DfuWait{status.poll_timeout};
}

DfuAction DfuSeCore::act_on(const DfuStatus& status) {
  using Kind = DfuSeOperation::Kind;
  if (++attempts_ > max_polls) return refuse("it stays busy for ever");
  if (operation().kind == Kind::to_idle) return towards_idle(status);
  if (stalled_) return refuse("it refused the request (stall)");
  switch (status.state) {
    case DfuState::download_sync:
    case DfuState::download_busy:
      return ask_status();
    case DfuState::download_idle:
      return operation().kind == Kind::leave ? refuse("it did not start the application") : finish();
    case DfuState::manifest:
    case DfuState::manifest_sync:
    case DfuState::manifest_wait_reset:
      if (operation().kind == Kind::leave) return finish();
      break;
    default:
      break;
  }
  return refuse("");
}

DfuAction DfuSeCore::towards_idle(const DfuStatus& status) {
  switch (status.state) {
    case DfuState::idle:
      return finish();
    case DfuState::download_busy:
      return ask_status();
    case DfuState::app_idle:
    case DfuState::app_detach:
      return refuse("it runs its application, not its bootloader");
    case DfuState::manifest:
    case DfuState::manifest_wait_reset:
      return refuse("it is leaving its bootloader; reset it");
    default:
      break;
  }
  if (attempts_ > max_recovery_attempts) return refuse("it cannot be brought back to dfuIDLE; power-cycle it");
  step_ = Step::command_sent;
  return DfuSend{status.state == DfuState::error ? DfuRequest::clear_status : DfuRequest::abort, 0, {}};
}

DfuAction DfuSeCore::refuse(std::string_view what) const {
  std::string reason(what);
  if (reason.empty()) reason = "the bootloader refused";
  return DfuFailed{
      Error{ErrorKind::unit, fmt::format("{}: {} (bState {}, bStatus {} {})", doing(), reason, name_of(status_.state),
                                         status_.status, dfu_status_name(status_.status))}};
}

std::string DfuSeCore::doing() const {
  using Kind = DfuSeOperation::Kind;
  const DfuSeOperation& now = operation();
  switch (now.kind) {
    case Kind::to_idle:
      return "bringing the bootloader to dfuIDLE";
    case Kind::erase:
      return fmt::format("erasing the sector at {:#010x}", now.address);
    case Kind::set_address:
      return fmt::format("setting the address {:#010x}", now.address);
    case Kind::write:
      return fmt::format("writing block {} at {:#010x}", now.block, now.address);
    case Kind::read:
      return fmt::format("reading block {} at {:#010x}", now.block, now.address);
    case Kind::leave:
      return "leaving the bootloader";
  }
  return "";
}

namespace {

void add_blocks(std::vector<DfuSeOperation>& operations, DfuSeOperation::Kind kind, std::uint32_t address,
                std::size_t size_bytes, std::uint16_t transfer_bytes, ByteView content) {
  for (std::size_t done = 0; done < size_bytes; done += transfer_bytes) {
    const std::size_t size = std::min<std::size_t>(transfer_bytes, size_bytes - done);
    operations.push_back(
        {kind, static_cast<std::uint32_t>(address + done), static_cast<std::uint16_t>(done / transfer_bytes),
         content.empty() ? ByteView() : content.subspan(done, size), static_cast<std::uint16_t>(size)});
  }
}

}  // namespace

std::vector<DfuSeOperation> dfuse_download(const std::vector<std::uint32_t>& erase, std::uint32_t address,
                                           ByteView content, std::uint16_t transfer_bytes) {
  using Kind = DfuSeOperation::Kind;
  std::vector<DfuSeOperation> operations{{Kind::to_idle}};
  for (const std::uint32_t sector : erase) operations.push_back({Kind::erase, sector});
  operations.push_back({Kind::set_address, address});
  add_blocks(operations, Kind::write, address, content.size(), transfer_bytes, content);
  return operations;
}

std::vector<DfuSeOperation> dfuse_upload(std::uint32_t address, std::size_t size_bytes, std::uint16_t transfer_bytes) {
  using Kind = DfuSeOperation::Kind;
  // Setting the address leads to dfuDNLOAD-IDLE, from where uploading is not allowed (DFU 1.1 appendix A.1).
  std::vector<DfuSeOperation> operations{{Kind::to_idle}, {Kind::set_address, address}, {Kind::to_idle}};
  add_blocks(operations, Kind::read, address, size_bytes, transfer_bytes, {});
  operations.push_back({Kind::to_idle});
  return operations;
}

std::vector<DfuSeOperation> dfuse_leave(std::uint32_t address) {
  using Kind = DfuSeOperation::Kind;
  return {{Kind::to_idle}, {Kind::set_address, address}, {Kind::leave, address}};
}

}  // namespace hilmark
