#include "boards/virtual/faults.h"

#include <gtest/gtest.h>

namespace virtual_lab {
namespace {

TEST(Faults, NothingIsNone) {
  for (const char* text : {"", " ", ",", ", ,"}) {
    const auto faults = Faults::parse(text);
    ASSERT_TRUE(faults) << text;
    EXPECT_FALSE(faults->stall_at || faults->unplug_at || faults->short_upload || faults->corrupt_flash);
    EXPECT_FALSE(faults->lies_about_poll_time);
    EXPECT_TRUE(faults->status_at.empty());
    EXPECT_EQ(faults->busy.count(), 0);
  }
}

TEST(Faults, EachIsReadByItsName) {
  const auto faults = Faults::parse(
      "stall-at=17, busy-ms=5000 lie-poll,status=errPROG@12,status=errVENDOR@0,short-upload@3,"
      "corrupt-flash@0x08001000,unplug-at=40");
  ASSERT_TRUE(faults) << faults.error();
  EXPECT_EQ(faults->stall_at, 17U);
  EXPECT_EQ(faults->busy.count(), 5000);
  EXPECT_TRUE(faults->lies_about_poll_time);
  ASSERT_EQ(faults->status_at.size(), 2U);
  EXPECT_EQ(faults->status_at[0].status, 6);
  EXPECT_EQ(faults->status_at[0].block, 12);
  EXPECT_EQ(faults->status_at[1].status, 11);
  EXPECT_EQ(faults->short_upload, 3);
  EXPECT_EQ(faults->corrupt_flash, 0x08001000U);
  EXPECT_EQ(faults->unplug_at, 40U);
}

TEST(Faults, WhatIsNoneIsNamedWithWhatThereIs) {
  for (const char* text : {"stall",
                           "stall-at",
                           "stall-at=",
                           "stall-at=0",
                           "stall-at=x",
                           "stall-at@3",
                           "unplug-at=-1",
                           "busy-ms=3600001",
                           "lie-poll=1",
                           "status=errPROG",
                           "status=OK@1",
                           "status=errNONE@1",
                           "status=errPROG@65536",
                           "status@errPROG=1",
                           "short-upload=3",
                           "short-upload@65536",
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
