#include "drivers/dfu/dfu_protocol.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "drivers/dfu/dfu_usb_port.h"

namespace hilmark {
namespace {

TEST(DfuStatus, IsReadFromSixBytes) {
  const auto status = parse_dfu_status(Bytes{3, 0x10, 0x27, 0x01, 10, 0});
  ASSERT_TRUE(status);
  EXPECT_EQ(status->status, 3);
  EXPECT_EQ(status->poll_timeout, Milliseconds(0x012710));
  EXPECT_EQ(status->state, DfuState::error);
  EXPECT_EQ(dfu_status_name(status->status), "errWRITE");
}

TEST(DfuStatus, AnythingElseIsNone) {
  EXPECT_FALSE(parse_dfu_status({}));
  EXPECT_FALSE(parse_dfu_status(Bytes{0, 0, 0, 0, 2}));
  EXPECT_FALSE(parse_dfu_status(Bytes{0, 0, 0, 0, 2, 0, 0}));
  EXPECT_FALSE(parse_dfu_status(Bytes{0, 0, 0, 0, 11, 0})) << "no such state";
  EXPECT_EQ(dfu_status_name(16), "unknown status");
}

TEST(DfuFunctional, IsFoundBehindOtherDescriptors) {
  const auto functional = find_dfu_functional(Bytes{3, 0x24, 0, 9, 0x21, 0x0b, 0xff, 0x00, 0x00, 0x08, 0x1a, 0x01});
  ASSERT_TRUE(functional);
  EXPECT_TRUE(functional->can_download);
  EXPECT_TRUE(functional->can_upload);
  EXPECT_FALSE(functional->manifestation_tolerant);
  EXPECT_TRUE(functional->will_detach);
  EXPECT_EQ(functional->detach_timeout, Milliseconds(255));
  EXPECT_EQ(functional->transfer_bytes, 2048);
  EXPECT_EQ(functional->version, 0x011a);
}

TEST(DfuFunctional, TheOneOfDfu10HasNoVersion) {
  const auto functional = find_dfu_functional(Bytes{7, 0x21, 0x05, 0xff, 0x00, 0x40, 0x00});
  ASSERT_TRUE(functional);
  EXPECT_TRUE(functional->manifestation_tolerant);
  EXPECT_EQ(functional->transfer_bytes, 64);
  EXPECT_EQ(functional->version, 0x0100);
}

TEST(DfuFunctional, DamagedDescriptorsAreNone) {
  EXPECT_FALSE(find_dfu_functional({}));
  EXPECT_FALSE(find_dfu_functional(Bytes{0, 0x21, 1, 1}));
  EXPECT_FALSE(find_dfu_functional(Bytes{9, 0x21, 0x0b}));
  EXPECT_FALSE(find_dfu_functional(Bytes{6, 0x21, 0x0b, 0xff, 0x00, 0x00}));
  EXPECT_FALSE(find_dfu_functional(Bytes{9, 0x21, 0x0b, 0xff, 0x00, 0x00, 0x08, 0x10})) << "cut short by a byte";
}

// DFU 1.1 section 5.1.
TEST(DfuDetach, TheHostResetsTheBusUnlessTheBoardDetachesByItself) {
  DfuFunctional functional;
  functional.detach_timeout = Milliseconds{255};
  EXPECT_TRUE(plan_dfu_detach(functional).host_resets_bus);
  EXPECT_EQ(plan_dfu_detach(functional).timeout_ms, 255) << "wTimeout is the board's own wDetachTimeOut";
  functional.will_detach = true;
  EXPECT_FALSE(plan_dfu_detach(functional).host_resets_bus);
}

}  // namespace
}  // namespace hilmark
