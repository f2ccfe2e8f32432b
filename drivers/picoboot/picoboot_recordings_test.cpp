// The flasher against a recording of a bootloader: what it says must stay the same.
#include <gtest/gtest.h>

#include "drivers/picoboot/picoboot_flasher.h"
#include "drivers/usb/usb_recording_testing.h"

namespace hilmark {
namespace {

constexpr UsbId bootsel{0x2e8a, 0x0003};
constexpr std::uint32_t base = 0x10000000;

/// A bootloader that is a recording: it answers as the recorded one did, as long as it is told the same.
class PicobootReplayPort final : public PicobootPort {
 public:
  explicit PicobootReplayPort(const std::vector<UsbTransfer>& recording) {
    std::copy_if(recording.begin(), recording.end(), std::back_inserter(transfers_),
                 [](const UsbTransfer& transfer) { return transfer.id == bootsel; });
  }

  Answer send(ByteView data) override {
    const UsbTransfer* transfer = next(UsbTransfer::Kind::bulk_out, data.size());
    if (transfer == nullptr) return differs();
    if (!std::equal(data.begin(), data.end(), transfer->data.begin(), transfer->data.end())) {
      difference_ = fmt::format("transfer {} carries other data", at_);
      return differs();
    }
    return recorded_answer<PicobootPort>(*transfer, {});
  }
  Answer receive(std::size_t size_bytes) override {
    const UsbTransfer* transfer = next(UsbTransfer::Kind::bulk_in, size_bytes);
    return transfer == nullptr ? differs() : recorded_answer<PicobootPort>(*transfer, transfer->data);
  }
  Answer command_status() override {
    const UsbTransfer* transfer = next(UsbTransfer::Kind::control_in, picoboot_status_bytes);
    return transfer == nullptr ? differs() : recorded_answer<PicobootPort>(*transfer, transfer->data);
  }
  Answer reset_interface() override {
    const UsbTransfer* transfer = next(UsbTransfer::Kind::control_out, 0);
    return transfer == nullptr ? differs() : recorded_answer<PicobootPort>(*transfer, {});
  }
  [[nodiscard]] std::string device_text() const override { return "a recorded bootloader"; }

  [[nodiscard]] bool at_end() const { return at_ == transfers_.size(); }
  [[nodiscard]] const std::string& difference() const { return difference_; }

 private:
  const UsbTransfer* next(UsbTransfer::Kind kind, std::size_t length) {
    if (at_ == transfers_.size()) {
      difference_ = "the recording has ended";
      return nullptr;
    }
    const UsbTransfer& transfer = transfers_[at_++];
    if (transfer.kind == kind && transfer.length == length) return &transfer;
    difference_ = fmt::format("transfer {} is another one of {} octets, where the recording has {}", at_, length,
                              to_line(transfer));
    return nullptr;
  }
  [[nodiscard]] Answer differs() const { return fail(ErrorKind::rig, "{}", difference_); }

  std::vector<UsbTransfer> transfers_;
  std::size_t at_ = 0;
  std::string difference_;
};

TEST(PicobootRecordings, AVirtualRp2040) {
  PicobootReplayPort port(usb_recording("drivers/picoboot/recordings/virtual_rp2040.jsonl"));
  const SystemClock clock;
  const Deadline deadline(clock, Milliseconds{60'000});
  auto flasher = PicobootFlasher::make(port, {PicobootChip::rp2040, base, 2 << 20}, clock);
  ASSERT_TRUE(flasher) << flasher.error().message;
  const auto report = flasher->write(base, recorded_content(), {}, deadline);
  ASSERT_TRUE(report) << report.error().message << port.difference();
  EXPECT_TRUE(report->verified);
  const auto started = flasher->start(base, deadline);
  EXPECT_TRUE(started) << started.error().message;
  EXPECT_EQ(port.difference(), "");
  EXPECT_TRUE(port.at_end()) << "it said more then";
}

TEST(PicobootRecordings, OtherContentIsFoundOut) {
  PicobootReplayPort port(usb_recording("drivers/picoboot/recordings/virtual_rp2040.jsonl"));
  const SystemClock clock;
  auto flasher = PicobootFlasher::make(port, {PicobootChip::rp2040, base, 2 << 20}, clock);
  ASSERT_TRUE(flasher) << flasher.error().message;
  Bytes other = recorded_content();
  other[4999] ^= 1;
  EXPECT_FALSE(flasher->write(base, other, {}, Deadline(clock, Milliseconds{60'000})));
  EXPECT_EQ(port.difference(), "transfer 12 carries other data");
}

}  // namespace
}  // namespace hilmark
