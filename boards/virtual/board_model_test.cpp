#include "boards/virtual/board_model.h"

#include <gtest/gtest.h>

namespace virtual_lab {
namespace {

using Kind = BoardAction::Kind;
using Actions = std::vector<BoardAction>;

const Actions kBootsBootloader{{Kind::kJoinBusAsBootloader}};
const Actions kBootsImage{{Kind::kStartCore}, {Kind::kJoinBusAsApplication}};
const Actions kAway{{Kind::kStartTimer, BoardModel::kAway}};

// For its effect on the state; what it does is looked at elsewhere.
void drive(BoardModel& board, BoardInput input) { static_cast<void>(board.step(input)); }

class Board : public testing::Test {
 protected:
  void power_up() {
    EXPECT_EQ(board.step(BoardInput::kPortPowerOn), kAway);
    drive(board, BoardInput::kTimer);
  }

  bool has_image = true;
  BoardModel board{[this] { return has_image; }};
};

TEST_F(Board, StartsItsImage) {
  EXPECT_EQ(board.state(), BoardState::kUnpowered);
  EXPECT_EQ(board.step(BoardInput::kPortPowerOn), kAway);
  EXPECT_EQ(board.step(BoardInput::kTimer), kBootsImage);
  EXPECT_EQ(board.state(), BoardState::kApplication);
}

TEST_F(Board, StaysInTheBootloaderWithoutAnImage) {
  has_image = false;
  drive(board, BoardInput::kPortPowerOn);
  EXPECT_EQ(board.step(BoardInput::kTimer), kBootsBootloader);
  EXPECT_EQ(board.state(), BoardState::kBootloader);
}

TEST_F(Board, SamplesItsBootPinAtPowerOnAndReset) {
  drive(board, BoardInput::kBootPinOn);
  drive(board, BoardInput::kPortPowerOn);
  EXPECT_EQ(board.step(BoardInput::kTimer), kBootsBootloader);
  EXPECT_TRUE(board.step(BoardInput::kBootPinOff).empty());
  EXPECT_EQ(board.step(BoardInput::kReset), (Actions{{Kind::kStopCore}, {Kind::kLeaveBus}, kAway[0]}));
  EXPECT_EQ(board.step(BoardInput::kTimer), kBootsImage);
  EXPECT_TRUE(board.step(BoardInput::kBootPinOn).empty());
  EXPECT_EQ(board.state(), BoardState::kApplication);
}

TEST_F(Board, LeavesTheBootloaderAfterAFarewellWhateverThePinSays) {
  has_image = false;
  power_up();
  has_image = true;
  drive(board, BoardInput::kBootPinOn);
  EXPECT_EQ(board.step(BoardInput::kStartImage),
            (Actions{{Kind::kStopCore}, {Kind::kStartTimer, BoardModel::kFarewell}}));
  EXPECT_TRUE(board.on_bus());
  EXPECT_EQ(board.step(BoardInput::kTimer), (Actions{{Kind::kLeaveBus}, kAway[0]}));
  EXPECT_FALSE(board.on_bus());
  EXPECT_EQ(board.step(BoardInput::kTimer), kBootsImage);
}

TEST_F(Board, LeavingADamagedImageComesBackToTheBootloader) {
  has_image = false;
  power_up();
  drive(board, BoardInput::kStartImage);
  drive(board, BoardInput::kTimer);
  EXPECT_EQ(board.step(BoardInput::kTimer), kBootsBootloader);
}

TEST_F(Board, DetachAndTheFirmwareEnterTheBootloader) {
  for (const BoardInput input : {BoardInput::kDetach, BoardInput::kCoreEnterBootloader}) {
    BoardModel one([] { return true; });
    drive(one, BoardInput::kPortPowerOn);
    drive(one, BoardInput::kTimer);
    EXPECT_EQ(one.step(input).at(0).kind, Kind::kStopCore);
    drive(one, BoardInput::kTimer);
    EXPECT_EQ(one.step(BoardInput::kTimer), kBootsBootloader);
    // The next reset is an ordinary one.
    drive(one, BoardInput::kReset);
    EXPECT_EQ(one.step(BoardInput::kTimer), kBootsImage);
  }
}

TEST_F(Board, TheFirmwareResetsItsChip) {
  power_up();
  EXPECT_EQ(board.step(BoardInput::kCoreReset),
            (Actions{{Kind::kStopCore}, {Kind::kStartTimer, BoardModel::kFirmwareFarewell}}));
  drive(board, BoardInput::kTimer);
  EXPECT_EQ(board.step(BoardInput::kTimer), kBootsImage);
}

TEST_F(Board, HasPowerOnlyWhilePluggedIntoAPortThatHas) {
  power_up();
  const Actions off{{Kind::kStopCore}, {Kind::kLeaveBus}};
  EXPECT_EQ(board.step(BoardInput::kPortPowerOff), off);
  EXPECT_TRUE(board.step(BoardInput::kPortPowerOff).empty());
  EXPECT_TRUE(board.step(BoardInput::kUnplug).empty());
  EXPECT_TRUE(board.step(BoardInput::kPortPowerOn).empty());
  EXPECT_EQ(board.state(), BoardState::kUnpowered);
  EXPECT_EQ(board.step(BoardInput::kPlug), kAway);
  EXPECT_EQ(board.step(BoardInput::kTimer), kBootsImage);
  EXPECT_EQ(board.step(BoardInput::kUnplug), off);
}

TEST_F(Board, LosesPowerAtAnyInstant) {
  power_up();
  drive(board, BoardInput::kCoreReset);
  EXPECT_EQ(board.step(BoardInput::kPortPowerOff), (Actions{{Kind::kStopCore}, {Kind::kLeaveBus}}));
  EXPECT_TRUE(board.step(BoardInput::kTimer).empty()) << "a timer of the time before";
  drive(board, BoardInput::kPortPowerOn);
  EXPECT_EQ(board.step(BoardInput::kPortPowerOff), (Actions{{Kind::kStopCore}})) << "not yet on the bus";
}

TEST_F(Board, IgnoresWhatItsStateCannotHear) {
  for (const BoardInput input : {BoardInput::kReset, BoardInput::kStartImage, BoardInput::kRestart, BoardInput::kDetach,
                                 BoardInput::kCoreReset, BoardInput::kCoreEnterBootloader, BoardInput::kTimer}) {
    EXPECT_TRUE(board.step(input).empty());
    EXPECT_EQ(board.state(), BoardState::kUnpowered);
  }
  power_up();
  EXPECT_TRUE(board.step(BoardInput::kStartImage).empty());
  EXPECT_TRUE(board.step(BoardInput::kRestart).empty());
  EXPECT_TRUE(board.step(BoardInput::kTimer).empty());
}

}  // namespace
}  // namespace virtual_lab
