#include "drivers/dfu/dfuse_core.h"

#include <algorithm>

namespace hilmark {
namespace {

constexpr std::uint8_t command_set_address = 0x21;
constexpr std::uint8_t command_erase = 0x41;
constexpr std::uint16_t first_data_block = 2;

Bytes command(std::uint8_t code, std::uint32_t address) {
  return {code, static_cast<std::uint8_t>(address), static_cast<std::uint8_t>(address >> 8),
          static_cast<std::uint8_t>(address >> 16), static_cast<std::uint8_t>(address >> 24)};
}

}  // namespace

DfuAction DfuSeCore::request() {
  using Kind = DfuSeOperation::Kind;
  const DfuSeOperation& now = operation();
  switch (now.kind) {
    case Kind::erase:
      return DfuSend{DfuRequest::download, 0, command(command_erase, now.address)};
    case Kind::erase_all:
      return DfuSend{DfuRequest::download, 0, Bytes{command_erase}};
    case Kind::set_address:
      return DfuSend{DfuRequest::download, 0, command(command_set_address, now.address)};
    case Kind::write:
      return DfuSend{DfuRequest::download, static_cast<std::uint16_t>(now.block + first_data_block),
                     Bytes(now.data.begin(), now.data.end())};
    case Kind::read:
      return DfuReceive{DfuRequest::upload, static_cast<std::uint16_t>(now.block + first_data_block), now.size_bytes};
    case Kind::leave:
      return DfuSend{DfuRequest::download, 0, {}};
    case Kind::to_idle:
      break;
  }
  return refuse("no such request");
}

DfuAction DfuSeCore::take(ByteView data) {
  if (data.size() != operation().size_bytes) {
    return refuse(fmt::format("it sent {} of the {} bytes asked for", data.size(), operation().size_bytes));
  }
  keep(data);
  return finish();
}

DfuAction DfuSeCore::judge(const DfuStatus& status) {
  const bool leaves = operation().kind == DfuSeOperation::Kind::leave;
  switch (status.state) {
    case DfuState::download_sync:
    case DfuState::download_busy:
      return ask_status();
    case DfuState::download_idle:
      return leaves ? refuse("it did not start the application") : finish();
    case DfuState::manifest:
    case DfuState::manifest_sync:
    case DfuState::manifest_wait_reset:
      if (leaves) return finish();
      break;
    default:
      break;
  }
  return refuse();
}

std::string DfuSeCore::doing() const {
  using Kind = DfuSeOperation::Kind;
  const DfuSeOperation& now = operation();
  switch (now.kind) {
    case Kind::to_idle:
      return "bringing the bootloader to dfuIDLE";
    case Kind::erase:
      return fmt::format("erasing the sector at {:#010x}", now.address);
    case Kind::erase_all:
      return "erasing the whole flash";
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

std::vector<DfuSeOperation> dfuse_erase_all() {
  using Kind = DfuSeOperation::Kind;
  return {{Kind::to_idle}, {Kind::erase_all}, {Kind::to_idle}};
}

std::vector<DfuSeOperation> dfuse_leave(std::uint32_t address) {
  using Kind = DfuSeOperation::Kind;
  return {{Kind::to_idle}, {Kind::set_address, address}, {Kind::leave, address}};
}

}  // namespace hilmark
