#include "boards/virtual/core_bus.h"

#include <algorithm>
#include <cerrno>

namespace virtual_lab {
namespace {

enum class Operation : std::uint32_t { kRead = 1, kErase = 2, kProgram = 3, kReset = 4, kEnterBootloader = 5 };

Bytes status_only(int status) {
  Bytes reply;
  append_u32(reply, static_cast<std::uint32_t>(status));
  return reply;
}

}  // namespace

BusAnswer CoreBus::answer(ByteView request) {
  if (request.size() < kRequestHeader || request.size() > kMaxRequest) return {status_only(-EINVAL)};
  const auto operation = static_cast<Operation>(read_u32(request, 0));
  const std::uint32_t address = read_u32(request, 4);
  const std::uint32_t length = read_u32(request, 8);
  const ByteView data = request.subspan(kRequestHeader);
  const bool data_fits = data.size() == (operation == Operation::kProgram ? length : 0);
  if (!data_fits || length > kMaxData) return {status_only(-EINVAL)};
  switch (operation) {
    case Operation::kRead:
      return {read(address, length)};
    case Operation::kErase:
      return {status_only(erase(address))};
    case Operation::kProgram:
      return {status_only(program(address, data))};
    case Operation::kReset:
      return {std::nullopt, BusAnswer::Then::kReset};
    case Operation::kEnterBootloader:
      return {std::nullopt, BusAnswer::Then::kEnterBootloader};
  }
  return {status_only(-EINVAL)};
}

Bytes CoreBus::read(std::uint32_t address, std::uint32_t length) const {
  Bytes data(length);
  if (flash_.read(address, data) != FlashResult::kDone) return status_only(-EFAULT);
  Bytes reply = status_only(0);
  reply.insert(reply.end(), data.begin(), data.end());
  return reply;
}

int CoreBus::erase(std::uint32_t address) {
  const auto& sectors = flash_.layout().sectors;
  const bool begins_a_sector =
      std::any_of(sectors.begin(), sectors.end(), [&](const FlashSector& sector) { return sector.offset == address; });
  if (address < owned_from_ || !begins_a_sector) return -EFAULT;
  return flash_.erase_sector_at(address) == FlashResult::kDone ? 0 : -EFAULT;
}

int CoreBus::program(std::uint32_t address, ByteView data) {
  if (address < owned_from_) return -EFAULT;
  switch (flash_.program(address, data)) {
    case FlashResult::kDone:
      return 0;
    case FlashResult::kOutside:
      return -EFAULT;
    case FlashResult::kNotErased:
      return -EIO;
  }
  return -EIO;
}

}  // namespace virtual_lab
