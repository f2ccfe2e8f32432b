#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <libusb.h>

#include "drivers/usb/usb_failure.h"
#include "drivers/usb/usb_id.h"

namespace hilmark {
namespace {

using testing::AllOf;
using testing::HasSubstr;

const UsbPlugged board{"1-4.2", {0x0483, 0xdf11}, "V0001", 1};

TEST(UsbId, GoesThereAndBack) {
  EXPECT_EQ(parse_usb_id("0483:DF11").value(), (UsbId{0x0483, 0xdf11}));
  EXPECT_EQ(to_text(UsbId{0x0483, 0xdf11}), "0483:df11");
}

TEST(UsbId, WhatIsNoneIsRefusedAndQuoted) {
  for (const char* wrong :
       {"", "0483", "0483:", "0483:df1", "0483-df11", "0483:df1g", "10483:df1", "0483:df111", "-483:df11"}) {
    const auto id = parse_usb_id(wrong);
    ASSERT_FALSE(id) << wrong;
    EXPECT_EQ(id.error().kind, ErrorKind::usage);
    EXPECT_THAT(id.error().message, HasSubstr(std::string("'") + wrong + "'"));
  }
}

TEST(UsbPortPath, IsWrittenAsTheKernelWritesIt) {
  EXPECT_EQ(port_path(1, {}), "1") << "a root hub";
  EXPECT_EQ(port_path(1, {4}), "1-4");
  EXPECT_EQ(port_path(12, {4, 2, 1}), "12-4.2.1");
}

TEST(UsbPlugged, AListSaysWhatIsWhere) {
  EXPECT_EQ(list_text({}), "nothing");
  EXPECT_EQ(list_text({board, {"2-1", {0x1d6b, 2}, "", 2}}),
            "0483:df11 serial V0001 at port 1-4.2, 1d6b:0002 at port 2-1");
}

TEST(UsbFailure, EachCauseHasItsKindAndNamesTheDeviceAndTheNextStep) {
  struct Row {
    int code;
    UsbFault fault;
    ErrorKind kind;
    const char* says;
  };
  for (const Row& row : {Row{LIBUSB_ERROR_NO_DEVICE, UsbFault::gone, ErrorKind::rig, "check its cable"},
                         Row{LIBUSB_ERROR_PIPE, UsbFault::stall, ErrorKind::unit, "stall"},
                         Row{LIBUSB_ERROR_TIMEOUT, UsbFault::timeout, ErrorKind::timeout, "did not answer in time"},
                         Row{LIBUSB_ERROR_ACCESS, UsbFault::access, ErrorKind::usage, "udevadm control --reload"},
                         Row{LIBUSB_ERROR_BUSY, UsbFault::busy, ErrorKind::usage, "another program"},
                         Row{LIBUSB_ERROR_OVERFLOW, UsbFault::other, ErrorKind::unit, "more than it was asked"},
                         Row{LIBUSB_ERROR_NOT_FOUND, UsbFault::other, ErrorKind::rig, "no such interface"},
                         Row{LIBUSB_ERROR_IO, UsbFault::other, ErrorKind::rig, "LIBUSB_ERROR_IO"}}) {
    const UsbFailure failure = usb_failure(row.code, "claiming interface 0", board).value();
    EXPECT_EQ(failure.fault, row.fault) << row.says;
    EXPECT_EQ(failure.error.kind, row.kind) << row.says;
    EXPECT_THAT(failure.error.message, AllOf(HasSubstr("claiming interface 0"), HasSubstr("0483:df11"),
                                             HasSubstr("V0001"), HasSubstr("1-4.2"), HasSubstr(row.says)));
  }
}

TEST(UsbFailure, ADeniedDeviceComesWithItsUdevRule) {
  const UsbFailure failure = usb_failure(LIBUSB_ERROR_ACCESS, "opening", board).value();
  EXPECT_THAT(failure.error.message, HasSubstr(R"(ATTR{idVendor}=="0483", ATTR{idProduct}=="df11")"));
}

}  // namespace
}  // namespace hilmark
