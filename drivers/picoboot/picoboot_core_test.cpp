#include "drivers/picoboot/picoboot_core.h"

#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hilmark {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using Kind = PicobootOperation::Kind;

/// Drives a core by hand, one step at a time.
class Core {
 public:
  explicit Core(std::vector<PicobootOperation> operations, PicobootChip chip = PicobootChip::rp2040)
      : core_(chip, std::move(operations)), action_(core_.next(PicobootStart{})) {}

  void sent() { action_ = core_.next(PicobootSent{}); }
  void stalled() { action_ = core_.next(PicobootStalled{}); }
  void gone(ErrorKind kind = ErrorKind::rig) { action_ = core_.next(PicobootGone{Error{kind, "it left the bus"}}); }
  void received(const Bytes& data) { action_ = core_.next(PicobootReceived{data}); }
  void acknowledged() {
    ASSERT_TRUE(receives(64)) << describe();
    received({});
  }
  void status(std::uint8_t code, std::uint8_t token = 1, std::uint8_t in_progress = 0) {
    ASSERT_TRUE(std::holds_alternative<PicobootAskStatus>(action_)) << describe();
    received({token, 0, 0, 0, code, 0, 0, 0, 0x05, in_progress, 0, 0, 0, 0, 0, 0});
  }

  [[nodiscard]] bool sends(const Bytes& data) const {
    const auto* send = std::get_if<PicobootSend>(&action_);
    return send != nullptr && send->data == data;
  }
  /// The 32 bytes of a command, without its magic and what is 0 anyway.
  [[nodiscard]] bool commands(std::uint8_t token, std::uint8_t id, std::uint8_t transfer_bytes,
                              const Bytes& arguments) const {
    Bytes expected{0x0b, 0xd1, 0x1f,           0x43, token, 0, 0, 0, id, static_cast<std::uint8_t>(arguments.size()),
                   0,    0,    transfer_bytes, 0,    0,     0};
    expected.insert(expected.end(), arguments.begin(), arguments.end());
    expected.resize(32);
    return sends(expected);
  }
  [[nodiscard]] bool receives(std::size_t size_bytes) const {
    const auto* receive = std::get_if<PicobootReceive>(&action_);
    return receive != nullptr && receive->size_bytes == size_bytes;
  }
  [[nodiscard]] bool asks_status() const { return std::holds_alternative<PicobootAskStatus>(action_); }
  [[nodiscard]] bool resets() const { return std::holds_alternative<PicobootResetInterface>(action_); }
  [[nodiscard]] bool done() const { return std::holds_alternative<PicobootDone>(action_); }
  [[nodiscard]] Error failure() const {
    const auto* failed = std::get_if<PicobootFailed>(&action_);
    return failed != nullptr ? failed->error : Error{ErrorKind::rig, "no failure: " + describe()};
  }
  [[nodiscard]] std::string describe() const { return fmt::format("action number {}", action_.index()); }
  [[nodiscard]] const Bytes& read_bytes() const { return core_.read_bytes(); }

 private:
  PicobootCore core_;
  PicobootAction action_;
};

const Bytes page(256, 0x11);
const std::vector<PicobootOperation> one_write{{Kind::write, 0x10000000, 256, page}};
const std::vector<PicobootOperation> one_read{{Kind::read, 0x10000100, 3}};

TEST(PicobootCore, NothingToDoIsDone) { EXPECT_TRUE(Core({}).done()); }

TEST(PicobootCore, PreparesTheBoardInItsOrder) {
  Core core({{Kind::reset}, {Kind::exclusive_access}, {Kind::exit_xip}});
  EXPECT_TRUE(core.resets());
  core.sent();
  EXPECT_TRUE(core.commands(1, 0x01, 0, {1}));
  core.sent();
  core.acknowledged();
  EXPECT_TRUE(core.commands(2, 0x06, 0, {})) << "each command has a token of its own";
  core.sent();
  core.acknowledged();
  EXPECT_TRUE(core.done());
}

TEST(PicobootCore, ErasesARange) {
  Core core({{Kind::erase, 0x10002000, 0x3000}});
  EXPECT_TRUE(core.commands(1, 0x03, 0, {0x00, 0x20, 0x00, 0x10, 0x00, 0x30, 0x00, 0x00}));
  core.sent();
  core.acknowledged();
  EXPECT_TRUE(core.done());
}

TEST(PicobootCore, WritesAndIsAcknowledged) {
  Core core({{Kind::write, 0x10000000, 4, ByteView(page).first(4)}});
  EXPECT_TRUE(core.commands(1, 0x05, 4, {0, 0, 0, 0x10, 4, 0, 0, 0}));
  core.sent();
  EXPECT_TRUE(core.sends({0x11, 0x11, 0x11, 0x11}));
  core.sent();
  core.acknowledged();
  EXPECT_TRUE(core.done());
}

TEST(PicobootCore, ReadsAndAcknowledges) {
  Core core(one_read);
  EXPECT_TRUE(core.commands(1, 0x84, 3, {0, 1, 0, 0x10, 3, 0, 0, 0}));
  core.sent();
  EXPECT_TRUE(core.receives(3));
  core.received({7, 8, 9});
  EXPECT_TRUE(core.sends({})) << "an empty packet the other way";
  EXPECT_FALSE(core.done());
  core.sent();
  EXPECT_TRUE(core.done());
  EXPECT_THAT(core.read_bytes(), ElementsAre(7, 8, 9));
}

TEST(PicobootCore, EachChipIsRebootedByItsOwnCommand) {
  EXPECT_TRUE(Core({{Kind::reboot}}).commands(1, 0x02, 0, {0, 0, 0, 0, 0, 0, 0, 0, 20, 0, 0, 0}));
  EXPECT_TRUE(Core({{Kind::reboot}}, PicobootChip::rp2350)
                  .commands(1, 0x0a, 0, {0, 0, 0, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}));
}

TEST(PicobootCore, ARebootMayBeSilentButNotBeforeItWasAsked) {
  Core silent({{Kind::reboot}});
  silent.sent();
  silent.gone();
  EXPECT_TRUE(silent.done());
  Core gone_before({{Kind::reboot}});
  gone_before.gone();
  EXPECT_THAT(gone_before.failure().message, HasSubstr("rebooting: it left"));
  Core hung({{Kind::reboot}});
  hung.sent();
  hung.gone(ErrorKind::timeout);
  EXPECT_EQ(hung.failure().kind, ErrorKind::timeout) << "still there, and silent";
}

TEST(PicobootCore, EachStatusCodeHasItsName) {
  const std::vector<std::string> names{"ok",
                                       "unknown command",
                                       "invalid command length",
                                       "invalid transfer length",
                                       "invalid address",
                                       "bad alignment",
                                       "interleaved write",
                                       "rebooting",
                                       "unknown error",
                                       "invalid state",
                                       "not permitted",
                                       "invalid argument",
                                       "buffer too small",
                                       "precondition not met",
                                       "modified data",
                                       "invalid data",
                                       "not found",
                                       "unsupported modification",
                                       "a status that no datasheet names"};
  for (std::size_t code = 0; code < names.size(); ++code) {
    Core core(one_write);
    core.sent();
    core.stalled();
    core.status(static_cast<std::uint8_t>(code));
    EXPECT_TRUE(core.resets()) << "the halts are cleared before anything else is tried";
    core.sent();
    EXPECT_EQ(core.failure().kind, ErrorKind::unit);
    EXPECT_THAT(core.failure().message,
                HasSubstr(fmt::format("writing 256 bytes at 0x10000000: it refused the request: {} (status {}",
                                      names[code], code)));
  }
}

/// Takes a core to a point of its life where an answer is due.
struct Point {
  std::string name;
  std::vector<PicobootOperation> operations;
  std::function<void(Core&)> reach;
};

std::vector<Point> points() {
  return {
      {"command", one_write, [](Core&) {}},
      {"data out", one_write, [](Core& core) { core.sent(); }},
      {"acknowledgement of a write", one_write,
       [](Core& core) {
         core.sent();
         core.sent();
       }},
      {"data in", one_read, [](Core& core) { core.sent(); }},
      {"acknowledgement of a read", one_read,
       [](Core& core) {
         core.sent();
         core.received({1, 2, 3});
       }},
      {"acknowledgement of an erase", {{Kind::erase, 0x10000000, 4096}}, [](Core& core) { core.sent(); }},
      {"exclusive access", {{Kind::exclusive_access}}, [](Core& core) { core.sent(); }},
      {"execute-in-place", {{Kind::exit_xip}}, [](Core& core) { core.sent(); }},
      {"reboot", {{Kind::reboot}}, [](Core& core) { core.sent(); }},
  };
}

TEST(PicobootCore, AStallAtAnyStepIsAskedAboutAndClearedAndNeverSuccess) {
  for (const Point& point : points()) {
    Core core(point.operations);
    point.reach(core);
    core.stalled();
    EXPECT_TRUE(core.asks_status()) << point.name;
    core.status(0);
    EXPECT_TRUE(core.resets()) << point.name;
    core.sent();
    EXPECT_EQ(core.failure().kind, ErrorKind::unit) << point.name;
    EXPECT_THAT(core.failure().message, HasSubstr("it refused the request: ok")) << point.name;
  }
}

TEST(PicobootCore, AnUnpluggingAtAnyStepIsTold) {
  for (const Point& point : points()) {
    if (point.name == "reboot") continue;
    Core core(point.operations);
    point.reach(core);
    core.gone();
    EXPECT_EQ(core.failure().kind, ErrorKind::rig) << point.name;
    EXPECT_THAT(core.failure().message, HasSubstr(": it left the bus")) << point.name;
  }
}

TEST(PicobootCore, AnUnpluggingWhileARefusalIsLookedIntoIsToldWithIt) {
  Core asked(one_write);
  asked.stalled();
  asked.gone();
  EXPECT_EQ(asked.failure().kind, ErrorKind::rig);
  Core reset(one_write);
  reset.stalled();
  reset.status(5);
  reset.gone();
  EXPECT_EQ(reset.failure().kind, ErrorKind::rig);
  EXPECT_THAT(reset.failure().message, AllOf(HasSubstr("bad alignment"), HasSubstr("it left the bus")));
  Core first({{Kind::reset}});
  first.gone();
  EXPECT_THAT(first.failure().message, HasSubstr("resetting the PICOBOOT interface: it left"));
}

TEST(PicobootCore, ABoardThatDoesNotSayWhyIsRefusedAllTheSame) {
  Core silent(one_write);
  silent.stalled();
  silent.stalled();
  EXPECT_TRUE(silent.resets());
  silent.sent();
  EXPECT_THAT(silent.failure().message, HasSubstr("does not say why"));
  Core short_status(one_write);
  short_status.stalled();
  short_status.received({1, 2});
  EXPECT_TRUE(short_status.resets());
  short_status.sent();
  EXPECT_THAT(short_status.failure().message, HasSubstr("its status is none: 0102"));
  Core of_another(one_write);
  of_another.stalled();
  of_another.status(5, 9);
  of_another.sent();
  EXPECT_THAT(of_another.failure().message, AllOf(HasSubstr("token 9, not 1"), Not(HasSubstr("alignment"))));
  Core busy(one_write);
  busy.stalled();
  busy.status(8, 1, 1);
  busy.sent();
  EXPECT_THAT(busy.failure().message, HasSubstr("still in progress"));
}

TEST(PicobootCore, AResetThatIsRefusedEndsIt) {
  Core first({{Kind::reset}, {Kind::exit_xip}});
  first.stalled();
  EXPECT_THAT(first.failure().message, HasSubstr("refused to reset its interface"));
  Core later(one_write);
  later.stalled();
  later.status(4);
  later.stalled();
  EXPECT_THAT(later.failure().message, AllOf(HasSubstr("invalid address"), HasSubstr("power-cycle it")));
}

TEST(PicobootCore, NonsenseIsRefused) {
  Core short_read(one_read);
  short_read.sent();
  short_read.received({1, 2});
  EXPECT_TRUE(short_read.resets());
  short_read.sent();
  EXPECT_EQ(short_read.failure().kind, ErrorKind::unit);
  EXPECT_THAT(short_read.failure().message, HasSubstr("it sent 2 of the 3 bytes"));
  EXPECT_TRUE(short_read.read_bytes().empty());
  Core chatty({{Kind::exit_xip}});
  chatty.sent();
  chatty.received({1});
  chatty.sent();
  EXPECT_THAT(chatty.failure().message, HasSubstr("1 bytes where an empty packet acknowledges"));
}

std::vector<std::pair<std::uint32_t, std::uint32_t>> ranges(const std::vector<PicobootOperation>& operations,
                                                            Kind kind) {
  std::vector<std::pair<std::uint32_t, std::uint32_t>> found;
  for (const PicobootOperation& one : operations) {
    if (one.kind == kind) found.emplace_back(one.address, one.size_bytes);
  }
  return found;
}

TEST(PicobootOperations, ErasesTheTouchedSectorsAndNoMore) {
  const Bytes content(0x11000, 1);
  const auto operations = picoboot_download(0x1000ff00, content);
  EXPECT_THAT(
      ranges(operations, Kind::erase),
      ElementsAre(std::pair{0x1000f000U, 0x1000U}, std::pair{0x10010000U, 0x10000U}, std::pair{0x10020000U, 0x1000U}));
  const auto writes = ranges(operations, Kind::write);
  EXPECT_EQ(writes.front(), (std::pair{0x1000ff00U, 0x100U}));
  EXPECT_EQ(writes.at(1), (std::pair{0x10010000U, 0x1000U}));
  EXPECT_EQ(writes.back(), (std::pair{0x10020000U, 0xf00U}));
  EXPECT_EQ(writes.size(), 18U);
  EXPECT_EQ(ranges(picoboot_download(0x10001000, Bytes(4096)), Kind::erase).size(), 1U);
}

TEST(PicobootOperations, ReadsInParts) {
  EXPECT_THAT(ranges(picoboot_upload(0x10000ffe, 0x1003), Kind::read),
              ElementsAre(std::pair{0x10000ffeU, 2U}, std::pair{0x10001000U, 0x1000U}, std::pair{0x10002000U, 1U}));
}

TEST(PicobootProtocol, KnowsTheChipByItsBootloader) {
  EXPECT_EQ(picoboot_chip_of({0x2e8a, 0x0003}), PicobootChip::rp2040);
  EXPECT_EQ(picoboot_chip_of({0x2e8a, 0x000f}), PicobootChip::rp2350);
  EXPECT_EQ(picoboot_chip_of({0x2e8a, 0x000a}), std::nullopt);
}

}  // namespace
}  // namespace hilmark
