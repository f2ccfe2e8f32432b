#include "boards/virtual/board_model.h"

#include <utility>

namespace virtual_lab {

using Kind = BoardAction::Kind;

std::string_view name_of(BoardState state) {
  switch (state) {
    case BoardState::unpowered:
      return "unpowered";
    case BoardState::departing:
      return "departing";
    case BoardState::starting:
      return "starting";
    case BoardState::bootloader:
      return "bootloader";
    case BoardState::application:
      return "application";
  }
  return "unknown";
}

std::vector<BoardAction> BoardModel::step(BoardInput input) {
  switch (input) {
    case BoardInput::port_power_on:
    case BoardInput::port_power_off:
      port_power_ = input == BoardInput::port_power_on;
      return supply_changed();
    case BoardInput::data_on:
    case BoardInput::data_off:
      return data_changed(input == BoardInput::data_on);
    case BoardInput::plug:
    case BoardInput::unplug:
      plugged_ = input == BoardInput::plug;
      return supply_changed();
    case BoardInput::boot_pin_on:
    case BoardInput::boot_pin_off:
      boot_pin_ = input == BoardInput::boot_pin_on;
      return {};
    case BoardInput::reset:
      return restart(NextBoot::as_pin_says);
    case BoardInput::bus_reset:
      if (state_ == BoardState::application) return restart(NextBoot::bootloader);
      return state_ == BoardState::bootloader ? restart(NextBoot::as_pin_says) : std::vector<BoardAction>();
    case BoardInput::start_image:
      return state_ == BoardState::bootloader ? depart(farewell, NextBoot::image) : std::vector<BoardAction>();
    case BoardInput::restart:
      return state_ == BoardState::bootloader ? depart(farewell, NextBoot::as_pin_says) : std::vector<BoardAction>();
    case BoardInput::detach:
      return state_ == BoardState::application ? depart(farewell, NextBoot::bootloader) : std::vector<BoardAction>();
    case BoardInput::core_reset:
    case BoardInput::core_enter_bootloader:
      if (state_ != BoardState::application) return {};
      return depart(firmware_farewell, input == BoardInput::core_reset ? NextBoot::as_pin_says : NextBoot::bootloader);
    case BoardInput::timer:
      return timer();
  }
  return {};
}

// The bus feeds the board: it has power when it is plugged into a port that has.
std::vector<BoardAction> BoardModel::supply_changed() {
  const bool supplied = port_power_ && plugged_;
  if (supplied == (state_ != BoardState::unpowered)) return {};
  if (supplied) {
    state_ = BoardState::starting;
    next_boot_ = NextBoot::as_pin_says;
    return {{Kind::start_timer, away}};
  }
  std::vector<BoardAction> actions{{Kind::stop_core}};
  if (on_bus()) actions.push_back({Kind::leave_bus});
  state_ = BoardState::unpowered;
  return actions;
}

std::vector<BoardAction> BoardModel::data_changed(bool connected) {
  if (std::exchange(data_, connected) == connected || !on_bus()) return {};
  if (!connected) return {{Kind::disconnect}};
  if (state_ == BoardState::departing) return {};
  return {{state_ == BoardState::bootloader ? Kind::join_bus_as_bootloader : Kind::join_bus_as_application}};
}

std::vector<BoardAction> BoardModel::restart(NextBoot next) {
  if (state_ == BoardState::unpowered) return {};
  std::vector<BoardAction> actions{{Kind::stop_core}};
  if (on_bus()) actions.push_back({Kind::leave_bus});
  actions.push_back({Kind::start_timer, away});
  state_ = BoardState::starting;
  next_boot_ = next;
  return actions;
}

std::vector<BoardAction> BoardModel::depart(std::chrono::milliseconds delay, NextBoot next) {
  state_ = BoardState::departing;
  next_boot_ = next;
  return {{Kind::stop_core}, {Kind::start_timer, delay}};
}

std::vector<BoardAction> BoardModel::timer() {
  if (state_ == BoardState::departing) {
    state_ = BoardState::starting;
    return {{Kind::leave_bus}, {Kind::start_timer, away}};
  }
  if (state_ == BoardState::starting) return boot();
  return {};
}

std::vector<BoardAction> BoardModel::boot() {
  // The boot pin is sampled at power-on and reset only: "leave" is a jump.
  const bool wants_bootloader =
      next_boot_ == NextBoot::bootloader || (next_boot_ == NextBoot::as_pin_says && boot_pin_);
  if (wants_bootloader || !has_image_()) {
    state_ = BoardState::bootloader;
    return data_ ? std::vector<BoardAction>{{Kind::join_bus_as_bootloader}} : std::vector<BoardAction>();
  }
  state_ = BoardState::application;
  std::vector<BoardAction> actions{{Kind::start_core}};
  if (data_) actions.push_back({Kind::join_bus_as_application});
  return actions;
}

}  // namespace virtual_lab
