// A bootloader of plain DFU 1.1 over the flash, stricter than most: a host that asks before a poll time is over, or
// sends blocks out of order, ends in dfuERROR. It erases sectors as a download comes to them. Chapter numbers: DFU 1.1.
#pragma once

#include "boards/virtual/dfu_bootloader.h"

namespace virtual_lab {

struct DfuManners {
  bool manifestation_tolerant = true;
  bool can_upload = true;
  UsbIds ids{0x1209, 0x0d0f};
};

class DfuModel : public DfuBootloader {
 public:
  static constexpr std::chrono::milliseconds manifestation_time{5};

  // `flash` outlives this.
  DfuModel(FlashMemory& flash, const std::string& serial, MonotonicClock clock, const DfuManners& manners = {},
           Faults faults = {});

  // The way out of DFU mode from every state (appendix A.2): the chip boots what its flash holds. The resets of an
  // enumeration are none.
  void bus_reset() override;

 private:
  std::optional<std::size_t> download(const SetupPacket& setup, ByteView data) override;
  std::optional<std::size_t> upload(const SetupPacket& setup, std::span<std::uint8_t> data) override;
  std::chrono::milliseconds start_operation() override;
  std::chrono::milliseconds manifest() override;
  [[nodiscard]] bool insists_on_poll_time() const override { return true; }

  DfuManners manners_;
  std::uint16_t next_block_ = 0;
  std::uint32_t offset_ = 0;     // where the next block belongs
  std::uint32_t erased_to_ = 0;  // of this download
  std::chrono::steady_clock::time_point manifested_at_;
};

}  // namespace virtual_lab
