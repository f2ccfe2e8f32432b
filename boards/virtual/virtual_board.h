// One board of the lab: carries out what its model decides, and joins flash, firmware, console and USB.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "boards/virtual/board_bus.h"
#include "boards/virtual/board_model.h"
#include "boards/virtual/cdc_model.h"
#include "boards/virtual/core_bus.h"
#include "boards/virtual/event_loop.h"
#include "boards/virtual/flash_store.h"
#include "boards/virtual/lab_file.h"
#include "boards/virtual/lab_log.h"
#include "boards/virtual/native_core.h"

namespace virtual_lab {

class VirtualBoard {
 public:
  // What is given outlives the board. `network` may be null: the firmware then shares the lab's.
  struct Surroundings {
    EventLoop& loop;
    BoardBus& bus;
    LabLog& log;
    const NetworkNamespace* network;
  };

  VirtualBoard(UnitSpec spec, FlashStore flash, Surroundings surroundings);
  VirtualBoard(const VirtualBoard&) = delete;
  VirtualBoard& operator=(const VirtualBoard&) = delete;
  ~VirtualBoard();

  void handle(BoardInput input);
  // Of a device from its next enumeration on; when and whether it returns, at once.
  void set_faults(Faults faults) { faults_ = std::move(faults); }

  [[nodiscard]] const UnitSpec& spec() const { return spec_; }
  // Not on the way from one state to another.
  [[nodiscard]] bool settled() const {
    return model_.state() != BoardState::starting && model_.state() != BoardState::departing;
  }
  [[nodiscard]] bool on_bus() const { return plugged_ != nullptr; }
  // One line of JSON: what `status` answers.
  [[nodiscard]] std::string status_json() const;

 private:
  void carry_out(const BoardAction& action);
  void start_core();
  void stop_core();
  void join_bus(std::shared_ptr<UsbDevice> device);
  void leave_bus();
  void handle_device_event(const DeviceEvent& event);
  void forward_input();
  void serve_bus_request(ByteView request);
  [[nodiscard]] Result<FirmwareImage> image() const;
  void log(std::string_view text) const { around_.log.write(spec_.id, text); }

  const UnitSpec spec_;
  Faults faults_;
  const Surroundings around_;
  FlashStore store_;
  FlashMemory flash_;
  CoreBus core_bus_;
  BoardModel model_;
  // Guards flash and USB models, which transfers work on from threads of their own.
  const std::shared_ptr<std::mutex> mutex_ = std::make_shared<std::mutex>();
  std::shared_ptr<CdcModel> console_;  // in application mode
  std::unique_ptr<PluggedDevice> plugged_;
  std::unique_ptr<NativeCore> core_;
  EventLoop::TimerId timer_ = 0;
  EventLoop::TimerId retry_timer_ = 0;
  EventLoop::TimerId bus_timer_ = 0;  // while the flash is busy for the firmware
  std::uint64_t plug_count_ = 0;
  std::string firmware_end_;  // how the last firmware ended by itself
};

}  // namespace virtual_lab
