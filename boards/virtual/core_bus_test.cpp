#include "boards/virtual/core_bus.h"

#include <cerrno>

#include <gtest/gtest.h>

namespace virtual_lab {
namespace {

constexpr std::uint32_t owned = 0x180000;

class Bus : public testing::Test {
 protected:
  Bus()
      : cells(2U << 20, 0xff),
        flash(*FlashLayout::parse("@Internal Flash /0x08000000/16*128Kg"), cells),
        bus(flash, owned) {}

  static Bytes request(std::uint32_t operation, std::uint32_t address, std::uint32_t length, const Bytes& data = {}) {
    Bytes bytes;
    for (const std::uint32_t word : {operation, address, length}) append_u32(bytes, word);
    bytes.insert(bytes.end(), data.begin(), data.end());
    return bytes;
  }
  int status(const Bytes& bytes) {
    BusAnswer answer = bus.answer(bytes);
    if (answer.busy.count() > 0) answer.reply = bus.finish();
    return answer.reply ? static_cast<int>(read_u32(*answer.reply, 0)) : 1;
  }

  std::vector<std::uint8_t> cells;
  FlashMemory flash;
  CoreBus bus;
};

TEST_F(Bus, ReadsErasesAndProgramsTheFirmwaresSectors) {
  EXPECT_EQ(status(request(3, owned + 1, 2, {0x12, 0x34})), 0);
  EXPECT_EQ(bus.answer(request(1, owned, 4)).reply, (Bytes{0, 0, 0, 0, 0xff, 0x12, 0x34, 0xff}));
  EXPECT_EQ(status(request(2, owned, 0)), 0);
  EXPECT_EQ(cells[owned + 1], 0xff);
}

TEST_F(Bus, KeepsTheFirmwareOutOfItsImage) {
  EXPECT_EQ(status(request(3, owned - 1, 2, {0, 0})), -EFAULT);
  EXPECT_EQ(status(request(3, 0, 1, {0})), -EFAULT);
  EXPECT_EQ(status(request(2, owned - 128 * 1024, 0)), -EFAULT);
  EXPECT_EQ(status(request(2, owned + 1, 0)), -EFAULT);
  EXPECT_EQ(status(request(2, 0x200000, 0)), -EFAULT);
  EXPECT_EQ(status(request(3, 0x1fffff, 2, {0, 0})), -EFAULT);
  EXPECT_EQ(status(request(1, 0x1fffff, 2)), -EFAULT);
  EXPECT_EQ(status(request(1, UINT32_MAX, 4096)), -EFAULT);
  EXPECT_EQ(cells, std::vector<std::uint8_t>(2U << 20, 0xff));
}

TEST_F(Bus, SaysWhenACellWasNotErased) {
  EXPECT_EQ(status(request(3, owned, 1, {0x0f})), 0);
  EXPECT_EQ(status(request(3, owned, 1, {0x0e})), 0);
  EXPECT_EQ(status(request(3, owned, 1, {0xf0})), -EIO);
}

TEST_F(Bus, APowerCutTearsAProgrammingInTheMiddle) {
  const BusAnswer begun = bus.answer(request(3, owned, 96, Bytes(96, 0)));
  EXPECT_FALSE(begun.reply);
  EXPECT_GT(begun.busy.count(), 0);
  EXPECT_EQ(cells[owned + 31], 0);
  EXPECT_EQ(cells[owned + 32], 0xff) << "the core may be gone before this is written";
  EXPECT_EQ(bus.finish(), (Bytes{0, 0, 0, 0}));
  EXPECT_EQ(cells[owned + 95], 0);
}

TEST_F(Bus, RefusesMalformedRequests) {
  EXPECT_EQ(status({}), -EINVAL);
  EXPECT_EQ(status(Bytes(11)), -EINVAL);
  EXPECT_EQ(status(request(1, owned, 4097)), -EINVAL);
  EXPECT_EQ(status(request(1, owned, 1, {0})), -EINVAL);
  EXPECT_EQ(status(request(3, owned, 2, {0})), -EINVAL);
  EXPECT_EQ(status(request(3, owned, 1, {0, 0})), -EINVAL);
  EXPECT_EQ(status(request(0, 0, 0)), -EINVAL);
  EXPECT_EQ(status(request(6, 0, 0)), -EINVAL);
  EXPECT_EQ(status(request(3, owned, 4096, Bytes(4097))), -EINVAL);
}

TEST_F(Bus, StopsTheCoreForResetAndBootloader) {
  const BusAnswer reset = bus.answer(request(4, 0, 0));
  EXPECT_FALSE(reset.reply);
  EXPECT_EQ(reset.then, BusAnswer::Then::reset);
  const BusAnswer bootloader = bus.answer(request(5, 0, 0));
  EXPECT_FALSE(bootloader.reply);
  EXPECT_EQ(bootloader.then, BusAnswer::Then::enter_bootloader);
}

}  // namespace
}  // namespace virtual_lab
