#include "drivers/picoboot/picoboot_core.h"

#include <algorithm>

namespace hilmark {
namespace {

using Kind = PicobootOperation::Kind;

constexpr std::size_t packet_bytes = 64;           // of a full-speed bulk endpoint
constexpr std::uint32_t transfer_bytes = 4096;     // of one write or read
constexpr std::uint32_t erase_bytes = 64U * 1024;  // of one erase: some seconds at worst
constexpr std::uint32_t reboot_delay_ms = 20;      // for the acknowledgement to get through
constexpr std::uint8_t exclusive = 1;

Bytes words(std::initializer_list<std::uint32_t> values) {
  Bytes bytes;
  for (const std::uint32_t value : values) append_u32(bytes, value);
  return bytes;
}

}  // namespace

PicobootAction PicobootCore::next(const PicobootEvent& event) {
  if (std::holds_alternative<PicobootStart>(event)) return at_ < operations_.size() ? begin() : PicobootDone{};
  if (const auto* gone = std::get_if<PicobootGone>(&event)) return on_gone(gone->error);
  if (std::holds_alternative<PicobootStalled>(event)) return on_stalled();
  if (const auto* received = std::get_if<PicobootReceived>(&event)) return on_received(received->data);
  return on_sent();
}

PicobootAction PicobootCore::begin() {
  if (operation().kind == Kind::reset) {
    step_ = Step::reset;
    return PicobootResetInterface{};
  }
  ++token_;
  step_ = Step::command;
  return PicobootSend{to_bytes(command())};
}

PicobootAction PicobootCore::finish() {
  ++at_;
  return at_ < operations_.size() ? begin() : PicobootDone{};
}

PicobootAction PicobootCore::on_sent() {
  switch (step_) {
    case Step::command:
      if (operation().kind == Kind::write) {
        step_ = Step::data_out;
        return PicobootSend{Bytes(operation().data.begin(), operation().data.end())};
      }
      if (operation().kind == Kind::read) {
        step_ = Step::data_in;
        return PicobootReceive{operation().size_bytes};
      }
      return await_acknowledgement();
    case Step::data_out:
      return await_acknowledgement();
    case Step::recovery:
      return refusal();
    default:  // a reset, or our acknowledgement of what was read
      return finish();
  }
}

PicobootAction PicobootCore::await_acknowledgement() {
  step_ = Step::ack_in;
  return PicobootReceive{packet_bytes};
}

PicobootAction PicobootCore::on_received(ByteView data) {
  if (step_ == Step::status) return recover(reason_in(data));
  if (step_ == Step::data_in) {
    if (data.size() != operation().size_bytes) {
      return recover(fmt::format("it sent {} of the {} bytes asked for", data.size(), operation().size_bytes));
    }
    read_.insert(read_.end(), data.begin(), data.end());
    step_ = Step::ack_out;
    return PicobootSend{};
  }
  if (!data.empty()) {
    return recover(fmt::format("it sent {} bytes where an empty packet acknowledges", data.size()));
  }
  return finish();
}

PicobootAction PicobootCore::on_stalled() {
  switch (step_) {
    case Step::status:
      return recover("it refused the request (stall), and does not say why");
    case Step::reset:
      reason_ = "it refused to reset its interface (stall)";
      return refusal();
    case Step::recovery:
      reason_ += "; nor does it reset its interface, so power-cycle it";
      return refusal();
    default:
      step_ = Step::status;
      return PicobootAskStatus{};
  }
}

PicobootAction PicobootCore::on_gone(const Error& error) {
  // A board that reboots may be gone before it acknowledges that.
  if (operation().kind == Kind::reboot && step_ == Step::ack_in && error.kind == ErrorKind::rig) return finish();
  if (!reason_.empty()) return PicobootFailed{error.with_context(fmt::format("{}: {}", doing(), reason_))};
  return PicobootFailed{error.with_context(doing())};
}

PicobootAction PicobootCore::recover(std::string reason) {
  reason_ = std::move(reason);
  step_ = Step::recovery;
  return PicobootResetInterface{};
}

std::string PicobootCore::reason_in(ByteView bytes) const {
  const auto status = parse_picoboot_status(bytes);
  if (!status) return fmt::format("it refused the request (stall), and its status is none: {}", to_hex(bytes));
  if (status->token != token_) {
    return fmt::format("it refused the request (stall) as none that it knows (its status is of token {}, not {})",
                       status->token, token_);
  }
  return fmt::format("it refused the request: {} (status {}, command {:#04x}{})", picoboot_status_name(status->code),
                     status->code, status->command, status->in_progress ? ", still in progress" : "");
}

PicobootFailed PicobootCore::refusal() const {
  return PicobootFailed{Error{ErrorKind::unit, fmt::format("{}: {}", doing(), reason_)}};
}

PicobootCommand PicobootCore::command() const {
  const PicobootOperation& now = operation();
  switch (now.kind) {
    case Kind::exclusive_access:
      return {PicobootCommandId::exclusive_access, token_, 0, {exclusive}};
    case Kind::exit_xip:
      return {PicobootCommandId::exit_xip, token_, 0, {}};
    case Kind::erase:
      return {PicobootCommandId::flash_erase, token_, 0, words({now.address, now.size_bytes})};
    case Kind::write: {
      const auto size_bytes = static_cast<std::uint32_t>(now.data.size());
      return {PicobootCommandId::write, token_, size_bytes, words({now.address, size_bytes})};
    }
    case Kind::read:
      return {PicobootCommandId::read, token_, now.size_bytes, words({now.address, now.size_bytes})};
    case Kind::reboot:
      // No program counter, or no flags: the regular way, from flash.
      if (chip_ == PicobootChip::rp2350) {
        return {PicobootCommandId::reboot2, token_, 0, words({0, reboot_delay_ms, 0, 0})};
      }
      return {PicobootCommandId::reboot, token_, 0, words({0, 0, reboot_delay_ms})};
    case Kind::reset:
      break;
  }
  return {};
}

std::string PicobootCore::doing() const {
  const PicobootOperation& now = operation();
  switch (now.kind) {
    case Kind::reset:
      return "resetting the PICOBOOT interface";
    case Kind::exclusive_access:
      return "taking exclusive access";
    case Kind::exit_xip:
      return "leaving execute-in-place";
    case Kind::erase:
      return fmt::format("erasing {} bytes at {:#010x}", now.size_bytes, now.address);
    case Kind::write:
      return fmt::format("writing {} bytes at {:#010x}", now.data.size(), now.address);
    case Kind::read:
      return fmt::format("reading {} bytes at {:#010x}", now.size_bytes, now.address);
    case Kind::reboot:
      return "rebooting";
  }
  return "";
}

namespace {

std::vector<PicobootOperation> preparation() { return {{Kind::reset}, {Kind::exclusive_access}, {Kind::exit_xip}}; }

/// `size_bytes` from `address` on, in parts that end at multiples of `part_bytes`.
template <class Add>
void in_parts(std::uint32_t address, std::size_t size_bytes, std::uint32_t part_bytes, const Add& add) {
  for (std::size_t done = 0; done < size_bytes;) {
    const auto at = static_cast<std::uint32_t>(address + done);
    const std::size_t size = std::min<std::size_t>(part_bytes - at % part_bytes, size_bytes - done);
    add(at, done, size);
    done += size;
  }
}

}  // namespace

std::vector<PicobootOperation> picoboot_download(std::uint32_t address, ByteView content) {
  std::vector<PicobootOperation> operations = preparation();
  const std::uint32_t first = address / picoboot_sector_bytes * picoboot_sector_bytes;
  const std::size_t touched = address - first + content.size();
  const std::size_t sectors = (touched + picoboot_sector_bytes - 1) / picoboot_sector_bytes;
  in_parts(first, sectors * picoboot_sector_bytes, erase_bytes,
           [&](std::uint32_t at, std::size_t /*done*/, std::size_t size) {
             operations.push_back({Kind::erase, at, static_cast<std::uint32_t>(size)});
           });
  in_parts(address, content.size(), transfer_bytes, [&](std::uint32_t at, std::size_t done, std::size_t size) {
    operations.push_back({Kind::write, at, static_cast<std::uint32_t>(size), content.subspan(done, size)});
  });
  return operations;
}

std::vector<PicobootOperation> picoboot_upload(std::uint32_t address, std::size_t size_bytes) {
  std::vector<PicobootOperation> operations = preparation();
  in_parts(address, size_bytes, transfer_bytes, [&](std::uint32_t at, std::size_t /*done*/, std::size_t size) {
    operations.push_back({Kind::read, at, static_cast<std::uint32_t>(size)});
  });
  return operations;
}

std::vector<PicobootOperation> picoboot_reboot() { return {{Kind::reset}, {Kind::reboot}}; }

}  // namespace hilmark
