#include "boards/virtual/faults.h"

#include <gtest/gtest.h>

namespace virtual_lab {
namespace {

TEST(Faults, NothingIsNone) {
  for (const char* text : {"", " ", ",", ", ,"}) {
    const auto faults = Faults::parse(text);
    ASSERT_TRUE(faults) << text;
    for (const TransferFaults& transfers : {faults->bootloader, faults->application}) {
      EXPECT_FALSE(transfers.stall_at || transfers.silent_at || transfers.unplug_at);
    }
    EXPECT_FALSE(faults->short_upload || faults->corrupt_flash);
    EXPECT_FALSE(faults->lies_about_poll_time || faults->never_returns || faults->layout_is_garbage);
    EXPECT_TRUE(faults->dfu_status_at.empty() && faults->picoboot_status_at.empty());
    EXPECT_EQ(faults->busy.count(), 0);
    EXPECT_EQ(faults->return_late.count(), 0);
    EXPECT_EQ(faults->application_serial, "");
    EXPECT_EQ(faults->descriptors, Faults::Descriptors::sound);
  }
}

TEST(Faults, EachIsReadByItsName) {
  const auto faults = Faults::parse(
      "stall-at=17, busy-ms=5000 lie-poll,status=errPROG@12,status=errVENDOR@0,short-upload@3,"
      "status=BAD_ALIGNMENT@5,corrupt-flash@0x08001000,unplug-at=40,silent-at=41 app-stall-at=1,app-silent-at=2,"
      "app-unplug-at=3,return-late-ms=2000,return-never,app-serial=V/0-2,layout-garbage,descriptors=zero-length");
  ASSERT_TRUE(faults) << faults.error();
  EXPECT_EQ(faults->bootloader.stall_at, 17U);
  EXPECT_EQ(faults->bootloader.silent_at, 41U);
  EXPECT_EQ(faults->bootloader.unplug_at, 40U);
  EXPECT_EQ(faults->application.stall_at, 1U);
  EXPECT_EQ(faults->application.silent_at, 2U);
  EXPECT_EQ(faults->application.unplug_at, 3U);
  EXPECT_EQ(faults->return_late.count(), 2000);
  EXPECT_TRUE(faults->never_returns);
  EXPECT_EQ(faults->application_serial, "V/0-2");
  EXPECT_TRUE(faults->layout_is_garbage);
  EXPECT_EQ(faults->descriptors, Faults::Descriptors::zero_length);
  EXPECT_EQ(faults->busy.count(), 5000);
  EXPECT_TRUE(faults->lies_about_poll_time);
  ASSERT_EQ(faults->dfu_status_at.size(), 2U);
  EXPECT_EQ(faults->dfu_status_at[0].status, 6U);
  EXPECT_EQ(faults->dfu_status_at[0].at, 12);
  EXPECT_EQ(faults->dfu_status_at[1].status, 11U);
  ASSERT_EQ(faults->picoboot_status_at.size(), 1U);
  EXPECT_EQ(faults->picoboot_status_at[0].status, 5U);
  EXPECT_EQ(faults->picoboot_status_at[0].at, 5);
  EXPECT_EQ(faults->short_upload, 3);
  EXPECT_EQ(faults->corrupt_flash, 0x08001000U);
}

TEST(Faults, TransfersAreCountedFromOne) {
  using enum TransferFaults::Strike;
  TransferFaults faults;
  faults.stall_at = 2;
  faults.silent_at = 4;
  EXPECT_EQ(faults.next(), none);
  EXPECT_EQ(faults.next(), stall);
  EXPECT_EQ(faults.next(), none);
  EXPECT_EQ(faults.next(), silence);
  EXPECT_EQ(faults.next(), silence);
  faults.unplug_at = 6;
  EXPECT_EQ(faults.next(), unplug);
}

TEST(Faults, WhatIsNoneIsNamedWithWhatThereIs) {
  for (const char* text : {"stall",
                           "stall-at",
                           "stall-at=",
                           "stall-at=0",
                           "stall-at=x",
                           "stall-at@3",
                           "unplug-at=-1",
                           "silent-at=0",
                           "app-stall-at=0",
                           "app-unplug-at",
                           "return-late-ms=3600001",
                           "return-never=1",
                           "app-serial=",
                           "layout-garbage=1",
                           "descriptors=",
                           "descriptors=sound",
                           "status=BAD_ALIGNMENT",
                           "status=BAD_ALIGNMENT@65536",
                           "busy-ms=3600001",
                           "lie-poll=1",
                           "status=errPROG",
                           "status=OK@1",
                           "status=errNONE@1",
                           "status=errPROG@65536",
                           "status@errPROG=1",
                           "short-upload=3",
                           "short-upload@65536",
                           "short-upload@",
                           "corrupt-flash@0x",
                           "corrupt-flash@0x100000000",
                           "=",
                           "@"}) {
    const auto faults = Faults::parse(std::string("lie-poll,") + text);
    ASSERT_FALSE(faults) << text;
    EXPECT_NE(faults.error().find(std::string("no fault \"") + text + '"'), std::string::npos) << faults.error();
    EXPECT_NE(faults.error().find("unplug-at=N"), std::string::npos);
  }
}

}  // namespace
}  // namespace virtual_lab
