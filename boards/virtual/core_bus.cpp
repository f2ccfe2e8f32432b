#include "boards/virtual/core_bus.h"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace virtual_lab {
namespace {

constexpr std::size_t flash_word = 32;

enum class Operation : std::uint32_t { read = 1, erase = 2, program = 3, reset = 4, enter_bootloader = 5 };

Bytes status_only(int status) {
  Bytes reply;
  append_u32(reply, static_cast<std::uint32_t>(status));
  return reply;
}

}  // namespace

BusAnswer CoreBus::answer(ByteView request) {
  if (request.size() < request_header || request.size() > max_request) return {status_only(-EINVAL)};
  const auto operation = static_cast<Operation>(read_u32(request, 0));
  const std::uint32_t address = read_u32(request, 4);
  const std::uint32_t length = read_u32(request, 8);
  const ByteView data = request.subspan(request_header);
  const bool data_fits = data.size() == (operation == Operation::program ? length : 0);
  if (!data_fits || length > max_data) return {status_only(-EINVAL)};
  switch (operation) {
    case Operation::read:
      return {read(address, length)};
    case Operation::erase:
      return begin_erase(address);
    case Operation::program:
      return begin_program(address, data);
    case Operation::reset:
      return {std::nullopt, BusAnswer::Then::reset};
    case Operation::enter_bootloader:
      return {std::nullopt, BusAnswer::Then::enter_bootloader};
  }
  return {status_only(-EINVAL)};
}

Bytes CoreBus::read(std::uint32_t address, std::uint32_t length) const {
  Bytes data(length);
  if (flash_.read(address, data) != FlashResult::done) return status_only(-EFAULT);
  Bytes reply = status_only(0);
  reply.insert(reply.end(), data.begin(), data.end());
  return reply;
}

BusAnswer CoreBus::begin_erase(std::uint32_t address) {
  const int status = erase(address);
  if (status != 0) return {status_only(status)};
  unfinished_ = {};
  return {std::nullopt, BusAnswer::Then::go_on, erase_time};
}

BusAnswer CoreBus::begin_program(std::uint32_t address, ByteView data) {
  const std::size_t first_half = data.size() / 2 / flash_word * flash_word;
  // The whole of it must be allowed before a part is done.
  if (address < owned_from_ || flash_.layout().size - std::min(address, flash_.layout().size) < data.size()) {
    return {status_only(-EFAULT)};
  }
  const int status = program(address, data.first(first_half));
  if (status == -EFAULT) return {status_only(status)};
  const ByteView rest = data.subspan(first_half);
  unfinished_ = {address + static_cast<std::uint32_t>(first_half), Bytes(rest.begin(), rest.end()), status};
  return {std::nullopt, BusAnswer::Then::go_on, program_time * ((data.size() + 1023) / 1024)};
}

Bytes CoreBus::finish() {
  const Unfinished ended = std::exchange(unfinished_, {});
  if (ended.data.empty()) return status_only(ended.status);
  const int status = program(ended.address, ended.data);
  return status_only(status != 0 ? status : ended.status);
}

int CoreBus::erase(std::uint32_t address) {
  const auto& sectors = flash_.layout().sectors;
  const bool begins_a_sector =
      std::any_of(sectors.begin(), sectors.end(), [&](const FlashSector& sector) { return sector.offset == address; });
  if (address < owned_from_ || !begins_a_sector) return -EFAULT;
  return flash_.erase_sector_at(address) == FlashResult::done ? 0 : -EFAULT;
}

int CoreBus::program(std::uint32_t address, ByteView data) {
  if (address < owned_from_) return -EFAULT;
  switch (flash_.program(address, data)) {
    case FlashResult::done:
      return 0;
    case FlashResult::outside:
      return -EFAULT;
    case FlashResult::not_erased:
      return -EIO;
  }
  return -EIO;
}

}  // namespace virtual_lab
