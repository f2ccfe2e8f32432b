// A board's power, reset and enumeration: (state, input) -> actions. It does nothing by itself.
#pragma once

#include <chrono>
#include <functional>
#include <string_view>
#include <vector>

namespace virtual_lab {

enum class BoardState {
  kUnpowered,    // off the bus
  kDeparting,    // still on the bus, for the host to see the last answers
  kStarting,     // off the bus, powered
  kBootloader,   // on the bus as 0483:df11
  kApplication,  // on the bus as 0483:5740
};
[[nodiscard]] std::string_view name_of(BoardState state);

enum class BoardInput {
  kPortPowerOn,
  kPortPowerOff,
  kPlug,
  kUnplug,
  kBootPinOn,
  kBootPinOff,
  kReset,                // the reset pin
  kStartImage,           // DfuSe leave
  kRestart,              // the bootloader resets the chip
  kDetach,               // DFU DETACH
  kCoreReset,            // the firmware resets its chip
  kCoreEnterBootloader,  // the firmware jumps to the bootloader
  kTimer,                // the time of the last kStartTimer is over
};

struct BoardAction {
  enum class Kind { kStopCore, kStartCore, kLeaveBus, kJoinBusAsBootloader, kJoinBusAsApplication, kStartTimer };
  Kind kind;
  std::chrono::milliseconds delay{0};  // of kStartTimer, which replaces an earlier one

  friend bool operator==(const BoardAction&, const BoardAction&) = default;
};

class BoardModel {
 public:
  // How long the device stays after its last words, and how long it is away. Hosts that are told of a departure and an
  // arrival in one instant lose the device; a real chip needs 200 ms and more.
  static constexpr std::chrono::milliseconds kFarewell{20};
  static constexpr std::chrono::milliseconds kFirmwareFarewell{50};
  static constexpr std::chrono::milliseconds kAway{60};

  // `has_image` tells whether the flash holds an image that this chip starts. Begins plugged and without power.
  explicit BoardModel(std::function<bool()> has_image) : has_image_(std::move(has_image)) {}

  [[nodiscard]] std::vector<BoardAction> step(BoardInput input);

  [[nodiscard]] BoardState state() const { return state_; }
  [[nodiscard]] bool port_power() const { return port_power_; }
  [[nodiscard]] bool plugged() const { return plugged_; }
  [[nodiscard]] bool boot_pin() const { return boot_pin_; }
  [[nodiscard]] bool on_bus() const { return state_ >= BoardState::kBootloader || state_ == BoardState::kDeparting; }

 private:
  enum class NextBoot { kAsPinSays, kImage, kBootloader };

  std::vector<BoardAction> supply_changed();
  std::vector<BoardAction> restart(NextBoot next);
  std::vector<BoardAction> depart(std::chrono::milliseconds farewell, NextBoot next);
  std::vector<BoardAction> timer();
  std::vector<BoardAction> boot();

  std::function<bool()> has_image_;
  BoardState state_ = BoardState::kUnpowered;
  NextBoot next_boot_ = NextBoot::kAsPinSays;
  bool port_power_ = false;
  bool plugged_ = true;
  bool boot_pin_ = false;
};

}  // namespace virtual_lab
