#include "boards/virtual/board_model.h"

namespace virtual_lab {

using Kind = BoardAction::Kind;

std::string_view name_of(BoardState state) {
  switch (state) {
    case BoardState::kUnpowered:
      return "unpowered";
    case BoardState::kDeparting:
      return "departing";
    case BoardState::kStarting:
      return "starting";
    case BoardState::kBootloader:
      return "bootloader";
    case BoardState::kApplication:
      return "application";
  }
  return "unknown";
}

std::vector<BoardAction> BoardModel::step(BoardInput input) {
  switch (input) {
    case BoardInput::kPortPowerOn:
    case BoardInput::kPortPowerOff:
      port_power_ = input == BoardInput::kPortPowerOn;
      return supply_changed();
    case BoardInput::kPlug:
    case BoardInput::kUnplug:
      plugged_ = input == BoardInput::kPlug;
      return supply_changed();
    case BoardInput::kBootPinOn:
    case BoardInput::kBootPinOff:
      boot_pin_ = input == BoardInput::kBootPinOn;
      return {};
    case BoardInput::kReset:
      return restart(NextBoot::kAsPinSays);
    case BoardInput::kStartImage:
      return state_ == BoardState::kBootloader ? depart(kFarewell, NextBoot::kImage) : std::vector<BoardAction>();
    case BoardInput::kRestart:
      return state_ == BoardState::kBootloader ? depart(kFarewell, NextBoot::kAsPinSays) : std::vector<BoardAction>();
    case BoardInput::kDetach:
      return state_ == BoardState::kApplication ? depart(kFarewell, NextBoot::kBootloader) : std::vector<BoardAction>();
    case BoardInput::kCoreReset:
    case BoardInput::kCoreEnterBootloader:
      if (state_ != BoardState::kApplication) return {};
      return depart(kFirmwareFarewell, input == BoardInput::kCoreReset ? NextBoot::kAsPinSays : NextBoot::kBootloader);
    case BoardInput::kTimer:
      return timer();
  }
  return {};
}

// The bus feeds the board: it has power when it is plugged into a port that has.
std::vector<BoardAction> BoardModel::supply_changed() {
  const bool supplied = port_power_ && plugged_;
  if (supplied == (state_ != BoardState::kUnpowered)) return {};
  if (supplied) {
    state_ = BoardState::kStarting;
    next_boot_ = NextBoot::kAsPinSays;
    return {{Kind::kStartTimer, kAway}};
  }
  std::vector<BoardAction> actions{{Kind::kStopCore}};
  if (on_bus()) actions.push_back({Kind::kLeaveBus});
  state_ = BoardState::kUnpowered;
  return actions;
}

std::vector<BoardAction> BoardModel::restart(NextBoot next) {
  if (state_ == BoardState::kUnpowered) return {};
  std::vector<BoardAction> actions{{Kind::kStopCore}};
  if (on_bus()) actions.push_back({Kind::kLeaveBus});
  actions.push_back({Kind::kStartTimer, kAway});
  state_ = BoardState::kStarting;
  next_boot_ = next;
  return actions;
}

std::vector<BoardAction> BoardModel::depart(std::chrono::milliseconds farewell, NextBoot next) {
  state_ = BoardState::kDeparting;
  next_boot_ = next;
  return {{Kind::kStopCore}, {Kind::kStartTimer, farewell}};
}

std::vector<BoardAction> BoardModel::timer() {
  if (state_ == BoardState::kDeparting) {
    state_ = BoardState::kStarting;
    return {{Kind::kLeaveBus}, {Kind::kStartTimer, kAway}};
  }
  if (state_ == BoardState::kStarting) return boot();
  return {};
}

std::vector<BoardAction> BoardModel::boot() {
  // The boot pin is sampled at power-on and reset only: "leave" is a jump.
  const bool wants_bootloader =
      next_boot_ == NextBoot::kBootloader || (next_boot_ == NextBoot::kAsPinSays && boot_pin_);
  if (wants_bootloader || !has_image_()) {
    state_ = BoardState::kBootloader;
    return {{Kind::kJoinBusAsBootloader}};
  }
  state_ = BoardState::kApplication;
  return {{Kind::kStartCore}, {Kind::kJoinBusAsApplication}};
}

}  // namespace virtual_lab
