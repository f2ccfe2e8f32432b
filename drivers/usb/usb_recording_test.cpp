#include "drivers/usb/usb_recording.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/base/temporary_folder.h"

namespace hilmark {
namespace {

using testing::HasSubstr;

UsbTransfer a_download() {
  return {.kind = UsbTransfer::Kind::control_out,
          .at_us = 12,
          .port = "1-4.2",
          .id = {0x0483, 0xdf11},
          .setup = {0x21, 1, 2, 0},
          .length = 3,
          .data = {1, 2, 0xff}};
}

TEST(UsbRecording, ATransferIsOneLineAndReadsBackTheSame) {
  const UsbTransfer transfer = a_download();
  const std::string line = to_line(transfer);
  EXPECT_EQ(line.find('\n'), std::string::npos);
  const auto again = parse_usb_transfer(line);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(to_line(*again), line);
  EXPECT_EQ(again->setup.value, 2);
  EXPECT_EQ(again->data, transfer.data);
  UsbTransfer bulk{
      .kind = UsbTransfer::Kind::bulk_in, .port = "1-1", .endpoint = 0x84, .length = 512, .result = "stall"};
  const auto bulk_again = parse_usb_transfer(to_line(bulk));
  ASSERT_TRUE(bulk_again) << bulk_again.error().message;
  EXPECT_EQ(bulk_again->endpoint, 0x84);
  EXPECT_EQ(bulk_again->result, "stall");
}

TEST(UsbRecording, WhatIsNoTransferIsToldByItsMember) {
  const auto told = [](const std::string& line) {
    const auto parsed = parse_usb_transfer(line);
    return parsed ? std::string("taken") : parsed.error().message;
  };
  EXPECT_THAT(told("{"), HasSubstr("JSON object"));
  EXPECT_THAT(told("{}"), HasSubstr("`at_us`"));
  std::string line = to_line(a_download());
  line.replace(line.find("\"0102ff\""), 8, "\"0102f\"");
  EXPECT_THAT(told(line), HasSubstr("`data`"));
  line = to_line(a_download());
  line.replace(line.find("control_out"), 11, "telepathy");
  EXPECT_THAT(told(line), HasSubstr("`kind`"));
  line = to_line(a_download());
  line.replace(line.find("\"value\":2"), 9, "\"value\":65536");
  EXPECT_THAT(told(line), HasSubstr("`value`"));
  EXPECT_THAT(told(std::string(70'000, ' ')), HasSubstr("more than"));
}

TEST(UsbRecording, ARecorderWritesWhatAReaderReads) {
  const TemporaryFolder folder = TemporaryFolder::make().value();
  const std::filesystem::path file = folder.path() / "flash.jsonl";
  ManualClock clock{WallTime{}};
  {
    const auto recorder = UsbRecorder::create(file, clock);
    ASSERT_TRUE(recorder) << recorder.error().message;
    clock.advance(Milliseconds{2});
    (*recorder)->add(a_download());
    (*recorder)->add(a_download());
    EXPECT_TRUE((*recorder)->trouble());
  }
  const auto read = read_usb_recording(file);
  ASSERT_TRUE(read) << read.error().message;
  ASSERT_EQ(read->size(), 2U);
  EXPECT_EQ(read->front().at_us, 2000);
  ASSERT_TRUE(write_file(file, to_line(a_download()) + "\nnonsense\n"));
  EXPECT_THAT(read_usb_recording(file).error().message, HasSubstr("flash.jsonl:2"));
  EXPECT_FALSE(UsbRecorder::create("/nowhere/x.jsonl", clock));
}

}  // namespace
}  // namespace hilmark
