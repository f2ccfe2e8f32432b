#include "boards/virtual/core_bus.h"

#include <algorithm>
#include <cerrno>

namespace virtual_lab {
namespace {

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
      return {status_only(erase(address))};
    case Operation::program:
      return {status_only(program(address, data))};
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
