// The chip's bootloader: a DFU 1.1 interface with ST's DfuSe extension 1.1a (UM0424, AN3156) over the flash.
#pragma once

#include "boards/virtual/dfu_bootloader.h"

namespace virtual_lab {

class DfuseModel : public DfuBootloader {
 public:
  // `flash` outlives this.
  DfuseModel(FlashMemory& flash, const std::string& serial, MonotonicClock clock, Faults faults = {},
             UsbIds ids = {0x0483, 0xdf11});

  void bus_reset() override;

 private:
  std::optional<std::size_t> download(const SetupPacket& setup, ByteView data) override;
  std::optional<std::size_t> upload(const SetupPacket& setup, std::span<std::uint8_t> data) override;
  std::chrono::milliseconds start_operation() override;
  std::chrono::milliseconds manifest() override;
  [[nodiscard]] bool insists_on_poll_time() const override { return false; }

  // Each starts the operation and returns how long it lasts.
  std::chrono::milliseconds run_command();
  std::chrono::milliseconds erase_command();
  std::chrono::milliseconds program_block();

  [[nodiscard]] std::optional<std::uint32_t> flash_offset(std::uint64_t address) const;
  [[nodiscard]] std::uint64_t block_address(std::uint16_t block) const;

  std::uint32_t pointer_;
};

}  // namespace virtual_lab
