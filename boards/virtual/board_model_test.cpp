#include "boards/virtual/board_model.h"

#include <gtest/gtest.h>

namespace virtual_lab {
namespace {

using Kind = BoardAction::Kind;
using Actions = std::vector<BoardAction>;

const Actions boots_bootloader{{Kind::join_bus_as_bootloader}};
const Actions boots_image{{Kind::start_core}, {Kind::join_bus_as_application}};
const Actions away{{Kind::start_timer, BoardModel::away}};

// For its effect on the state; what it does is looked at elsewhere.
void drive(BoardModel& board, BoardInput input) { static_cast<void>(board.step(input)); }

class Board : public testing::Test {
 protected:
  void power_up() {
    EXPECT_EQ(board.step(BoardInput::port_power_on), away);
    drive(board, BoardInput::timer);
  }

  bool has_image = true;
  BoardModel board{[this] { return has_image; }};
};

TEST_F(Board, StartsItsImage) {
  EXPECT_EQ(board.state(), BoardState::unpowered);
  EXPECT_EQ(board.step(BoardInput::port_power_on), away);
  EXPECT_EQ(board.step(BoardInput::timer), boots_image);
  EXPECT_EQ(board.state(), BoardState::application);
}

TEST_F(Board, StaysInTheBootloaderWithoutAnImage) {
  has_image = false;
  drive(board, BoardInput::port_power_on);
  EXPECT_EQ(board.step(BoardInput::timer), boots_bootloader);
  EXPECT_EQ(board.state(), BoardState::bootloader);
}

TEST_F(Board, SamplesItsBootPinAtPowerOnAndReset) {
  drive(board, BoardInput::boot_pin_on);
  drive(board, BoardInput::port_power_on);
  EXPECT_EQ(board.step(BoardInput::timer), boots_bootloader);
  EXPECT_TRUE(board.step(BoardInput::boot_pin_off).empty());
  EXPECT_EQ(board.step(BoardInput::reset), (Actions{{Kind::stop_core}, {Kind::leave_bus}, away[0]}));
  EXPECT_EQ(board.step(BoardInput::timer), boots_image);
  EXPECT_TRUE(board.step(BoardInput::boot_pin_on).empty());
  EXPECT_EQ(board.state(), BoardState::application);
}

TEST_F(Board, LeavesTheBootloaderAfterAFarewellWhateverThePinSays) {
  has_image = false;
  power_up();
  has_image = true;
  drive(board, BoardInput::boot_pin_on);
  EXPECT_EQ(board.step(BoardInput::start_image),
            (Actions{{Kind::stop_core}, {Kind::start_timer, BoardModel::farewell}}));
  EXPECT_TRUE(board.on_bus());
  EXPECT_EQ(board.step(BoardInput::timer), (Actions{{Kind::leave_bus}, away[0]}));
  EXPECT_FALSE(board.on_bus());
  EXPECT_EQ(board.step(BoardInput::timer), boots_image);
}

TEST_F(Board, LeavingADamagedImageComesBackToTheBootloader) {
  has_image = false;
  power_up();
  drive(board, BoardInput::start_image);
  drive(board, BoardInput::timer);
  EXPECT_EQ(board.step(BoardInput::timer), boots_bootloader);
}

TEST_F(Board, DetachAndTheFirmwareEnterTheBootloader) {
  for (const BoardInput input : {BoardInput::detach, BoardInput::core_enter_bootloader}) {
    BoardModel one([] { return true; });
    drive(one, BoardInput::port_power_on);
    drive(one, BoardInput::timer);
    EXPECT_EQ(one.step(input).at(0).kind, Kind::stop_core);
    drive(one, BoardInput::timer);
    EXPECT_EQ(one.step(BoardInput::timer), boots_bootloader);
    // The next reset is an ordinary one.
    drive(one, BoardInput::reset);
    EXPECT_EQ(one.step(BoardInput::timer), boots_image);
  }
}

TEST_F(Board, LeavesAtOnceForTheBootloaderAndBackAtABusReset) {
  power_up();
  const Actions leaves{{Kind::stop_core}, {Kind::leave_bus}, away[0]};
  EXPECT_EQ(board.step(BoardInput::bus_reset), leaves);
  EXPECT_EQ(board.step(BoardInput::timer), boots_bootloader);
  EXPECT_EQ(board.step(BoardInput::bus_reset), leaves);
  EXPECT_TRUE(board.step(BoardInput::bus_reset).empty());
  EXPECT_EQ(board.step(BoardInput::timer), boots_image);
}

TEST_F(Board, TheFirmwareResetsItsChip) {
  power_up();
  EXPECT_EQ(board.step(BoardInput::core_reset),
            (Actions{{Kind::stop_core}, {Kind::start_timer, BoardModel::firmware_farewell}}));
  drive(board, BoardInput::timer);
  EXPECT_EQ(board.step(BoardInput::timer), boots_image);
}

TEST_F(Board, HasPowerOnlyWhilePluggedIntoAPortThatHas) {
  power_up();
  const Actions off{{Kind::stop_core}, {Kind::leave_bus}};
  EXPECT_EQ(board.step(BoardInput::port_power_off), off);
  EXPECT_TRUE(board.step(BoardInput::port_power_off).empty());
  EXPECT_TRUE(board.step(BoardInput::unplug).empty());
  EXPECT_TRUE(board.step(BoardInput::port_power_on).empty());
  EXPECT_EQ(board.state(), BoardState::unpowered);
  EXPECT_EQ(board.step(BoardInput::plug), away);
  EXPECT_EQ(board.step(BoardInput::timer), boots_image);
  EXPECT_EQ(board.step(BoardInput::unplug), off);
}

TEST_F(Board, LosesPowerAtAnyInstant) {
  power_up();
  drive(board, BoardInput::core_reset);
  EXPECT_EQ(board.step(BoardInput::port_power_off), (Actions{{Kind::stop_core}, {Kind::leave_bus}}));
  EXPECT_TRUE(board.step(BoardInput::timer).empty()) << "a timer of the time before";
  drive(board, BoardInput::port_power_on);
  EXPECT_EQ(board.step(BoardInput::port_power_off), (Actions{{Kind::stop_core}})) << "not yet on the bus";
}

TEST_F(Board, IgnoresWhatItsStateCannotHear) {
  for (const BoardInput input :
       {BoardInput::reset, BoardInput::start_image, BoardInput::restart, BoardInput::detach, BoardInput::bus_reset,
        BoardInput::core_reset, BoardInput::core_enter_bootloader, BoardInput::timer}) {
    EXPECT_TRUE(board.step(input).empty());
    EXPECT_EQ(board.state(), BoardState::unpowered);
  }
  power_up();
  EXPECT_TRUE(board.step(BoardInput::start_image).empty());
  EXPECT_TRUE(board.step(BoardInput::restart).empty());
  EXPECT_TRUE(board.step(BoardInput::timer).empty());
}

TEST_F(Board, WithoutDataItRunsOnUnseen) {
  power_up();
  EXPECT_EQ(board.step(BoardInput::data_off), (Actions{{Kind::disconnect}}));
  EXPECT_EQ(board.state(), BoardState::application);
  EXPECT_TRUE(board.step(BoardInput::data_off).empty());
  EXPECT_EQ(board.step(BoardInput::data_on), (Actions{{Kind::join_bus_as_application}}));
  drive(board, BoardInput::data_off);
  EXPECT_EQ(board.step(BoardInput::core_reset),
            (Actions{{Kind::stop_core}, {Kind::start_timer, BoardModel::firmware_farewell}}));
  EXPECT_TRUE(board.step(BoardInput::data_on).empty()) << "it is on its way off the bus";
  drive(board, BoardInput::timer);
  EXPECT_TRUE(board.step(BoardInput::data_off).empty());
  EXPECT_EQ(board.step(BoardInput::timer), (Actions{{Kind::start_core}})) << "it boots all the same";
}

TEST_F(Board, LosesPowerAndDataAtOnce) {
  power_up();
  drive(board, BoardInput::data_off);
  EXPECT_EQ(board.step(BoardInput::port_power_off), (Actions{{Kind::stop_core}, {Kind::leave_bus}}));
  EXPECT_TRUE(board.step(BoardInput::data_on).empty());
  EXPECT_EQ(board.step(BoardInput::port_power_on), away);
  EXPECT_EQ(board.step(BoardInput::timer), boots_image);
}

}  // namespace
}  // namespace virtual_lab
