// A board's power, reset and enumeration: (state, input) -> actions. It does nothing by itself.
#pragma once

#include <chrono>
#include <functional>
#include <string_view>
#include <vector>

namespace virtual_lab {

enum class BoardState {
  unpowered,    // off the bus
  departing,    // still on the bus, for the host to see the last answers
  starting,     // off the bus, powered
  bootloader,   // on the bus with the bootloader's ids
  application,  // on the bus with the application's ids
};
[[nodiscard]] std::string_view name_of(BoardState state);

enum class BoardInput {
  port_power_on,
  port_power_off,
  data_on,  // its hub carries its data, or does not: by that alone it loses no power
  data_off,
  plug,
  unplug,
  boot_pin_on,
  boot_pin_off,
  reset,                  // the reset pin
  bus_reset,              // DFU: out of the bootloader, or after DETACH into it
  start_image,            // DfuSe leave
  restart,                // the bootloader resets the chip
  detach,                 // DFU DETACH
  core_reset,             // the firmware resets its chip
  core_enter_bootloader,  // the firmware jumps to the bootloader
  timer,                  // the time of the last start_timer is over
};

struct BoardAction {
  enum class Kind {
    stop_core,
    start_core,
    leave_bus,
    disconnect,  // from the bus, while its program runs on
    join_bus_as_bootloader,
    join_bus_as_application,
    start_timer,
  };
  Kind kind;
  std::chrono::milliseconds delay{0};  // of start_timer, which replaces an earlier one

  friend bool operator==(const BoardAction&, const BoardAction&) = default;
};

class BoardModel {
 public:
  // How long the device stays after its last words, and how long it is away. Hosts that are told of a departure and an
  // arrival in one instant lose the device; a real chip needs 200 ms and more.
  static constexpr std::chrono::milliseconds farewell{20};
  static constexpr std::chrono::milliseconds firmware_farewell{50};
  static constexpr std::chrono::milliseconds away{60};

  // `has_image` tells whether the flash holds an image that this chip starts. Begins plugged and without power.
  explicit BoardModel(std::function<bool()> has_image) : has_image_(std::move(has_image)) {}

  [[nodiscard]] std::vector<BoardAction> step(BoardInput input);

  [[nodiscard]] BoardState state() const { return state_; }
  [[nodiscard]] bool port_power() const { return port_power_; }
  [[nodiscard]] bool plugged() const { return plugged_; }
  [[nodiscard]] bool boot_pin() const { return boot_pin_; }
  // As far as its hub carries its data.
  [[nodiscard]] bool on_bus() const { return state_ >= BoardState::bootloader || state_ == BoardState::departing; }

 private:
  enum class NextBoot { as_pin_says, image, bootloader };

  std::vector<BoardAction> supply_changed();
  std::vector<BoardAction> data_changed(bool connected);
  std::vector<BoardAction> restart(NextBoot next);
  std::vector<BoardAction> depart(std::chrono::milliseconds delay, NextBoot next);
  std::vector<BoardAction> timer();
  std::vector<BoardAction> boot();

  std::function<bool()> has_image_;
  BoardState state_ = BoardState::unpowered;
  NextBoot next_boot_ = NextBoot::as_pin_says;
  bool port_power_ = false;
  bool data_ = true;
  bool plugged_ = true;
  bool boot_pin_ = false;
};

}  // namespace virtual_lab
