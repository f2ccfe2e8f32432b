// A DFU bootloader that is a recording: it answers as the recorded one did, as long as it is asked the same.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "drivers/dfu/dfu_port.h"
#include "drivers/usb/usb_recording_testing.h"

namespace hilmark {

class DfuReplayPort final : public DfuPort {
 public:
  /// Of the recording what was said to the bootloader with those ids.
  DfuReplayPort(const std::vector<UsbTransfer>& recording, const UsbId& bootloader) {
    std::copy_if(recording.begin(), recording.end(), std::back_inserter(transfers_), [&](const UsbTransfer& transfer) {
      constexpr unsigned class_to_or_from_interface = 0x21;
      return transfer.id == bootloader && (transfer.setup.request_type & 0x7fU) == class_to_or_from_interface;
    });
  }

  Answer send(DfuRequest request, std::uint16_t value, ByteView data) override {
    const UsbTransfer* transfer = next(UsbTransfer::Kind::control_out, request, value);
    if (transfer == nullptr) return differs();
    if (!std::equal(data.begin(), data.end(), transfer->data.begin(), transfer->data.end())) {
      difference_ = fmt::format("transfer {} carries other data", at_);
      return differs();
    }
    return recorded_answer<DfuPort>(*transfer, {});
  }
  Answer receive(DfuRequest request, std::uint16_t value, std::uint16_t size_bytes) override {
    const UsbTransfer* transfer = next(UsbTransfer::Kind::control_in, request, value);
    if (transfer == nullptr) return differs();
    if (size_bytes != transfer->length) {
      difference_ = fmt::format("transfer {} asks for {} octets, not {}", at_, size_bytes, transfer->length);
      return differs();
    }
    return recorded_answer<DfuPort>(*transfer, transfer->data);
  }
  Result<void> wait(Milliseconds time) override {
    waited_ += time;
    return {};
  }
  Result<void> reset_bus() override { return {}; }
  [[nodiscard]] std::string device_text() const override { return "a recorded bootloader"; }

  [[nodiscard]] bool at_end() const { return at_ == transfers_.size(); }
  [[nodiscard]] const std::string& difference() const { return difference_; }
  [[nodiscard]] Milliseconds waited() const { return waited_; }

 private:
  const UsbTransfer* next(UsbTransfer::Kind kind, DfuRequest request, std::uint16_t value) {
    if (at_ == transfers_.size()) {
      difference_ = "the recording has ended";
      return nullptr;
    }
    const UsbTransfer& transfer = transfers_[at_++];
    const bool same = transfer.kind == kind && transfer.setup.request == static_cast<std::uint8_t>(request) &&
                      transfer.setup.value == value;
    if (same) return &transfer;
    difference_ = fmt::format("transfer {} is {} with value {}, where the recording has {}", at_, name_of(request),
                              value, to_line(transfer));
    return nullptr;
  }
  [[nodiscard]] Answer differs() const { return fail(ErrorKind::rig, "{}", difference_); }

  std::vector<UsbTransfer> transfers_;
  std::size_t at_ = 0;
  std::string difference_;
  Milliseconds waited_{0};
};

}  // namespace hilmark
