#include "boards/virtual/picoboot_model.h"

#include <optional>

#include <gtest/gtest.h>

namespace virtual_lab {
namespace {

constexpr std::uint32_t base = 0x10000000;
constexpr std::uint32_t flash_bytes = 16 * 4096;

class Picoboot : public testing::Test {
 protected:
  using Chip = PicobootModel::Chip;
  static constexpr std::uint8_t out = PicobootModel::command_out;
  static constexpr std::uint8_t in = PicobootModel::command_in;

  Picoboot()
      : cells(flash_bytes, 0x00), flash(*FlashLayout::parse("@Flash /0x10000000/16*004Kg"), cells), model(plug()) {}

  PicobootModel& plug(std::string_view faults = "") {
    return plugged.emplace(flash, "V1", Chip::rp2040, UsbIds{0x2e8a, 0x0003}, Faults::parse(faults).value(),
                           [this] { return now; });
  }

  static Bytes packet(std::uint8_t id, Bytes arguments, std::uint32_t transfer_bytes = 0, std::uint32_t token = 7) {
    Bytes bytes;
    append_u32(bytes, 0x431fd10b);
    append_u32(bytes, token);
    bytes.insert(bytes.end(), {id, static_cast<std::uint8_t>(arguments.size()), 0, 0});
    append_u32(bytes, transfer_bytes);
    bytes.insert(bytes.end(), arguments.begin(), arguments.end());
    bytes.resize(32);
    return bytes;
  }
  static Bytes words(std::initializer_list<std::uint32_t> values) {
    Bytes bytes;
    for (const std::uint32_t value : values) append_u32(bytes, value);
    return bytes;
  }
  BulkStep send(const Bytes& data) { return model.bulk_out(out, data); }
  bool acknowledged() {
    Bytes into(64);
    const BulkStep step = model.bulk_in(in, into);
    return step.handshake == Handshake::ack && step.bytes == 0;
  }
  // A command without data.
  bool command(std::uint8_t id, const Bytes& arguments) {
    return send(packet(id, arguments)).handshake == Handshake::ack && acknowledged();
  }
  bool write(std::uint32_t address, const Bytes& data) {
    const auto size = static_cast<std::uint32_t>(data.size());
    if (send(packet(0x05, words({address, size}), size)).handshake != Handshake::ack) return false;
    for (std::size_t done = 0; done < data.size();) {
      const BulkStep step = model.bulk_out(out, ByteView(data).subspan(done));
      if (step.handshake != Handshake::ack) return false;
      done += step.bytes;
    }
    return acknowledged();
  }
  Bytes status() {
    Bytes data(16);
    EXPECT_EQ(model.control({0xc1, 0x42, 0, 1, 16}, data), 16U);
    return data;
  }
  // Both endpoints refuse, and the status says why, until the interface is reset.
  void expect_refused(PicobootStatus expected, std::uint8_t id) {
    Bytes into(64);
    EXPECT_EQ(model.bulk_in(in, into).handshake, Handshake::stall);
    EXPECT_EQ(send(packet(0x06, {})).handshake, Handshake::stall);
    const Bytes said = status();
    EXPECT_EQ(read_u32(said, 0), 7U);
    EXPECT_EQ(read_u32(said, 4), static_cast<std::uint32_t>(expected));
    EXPECT_EQ(said[8], id);
    EXPECT_EQ(said[9], 0);
    reset();
    EXPECT_TRUE(command(0x06, {}));
  }
  void reset() {
    Bytes none;
    EXPECT_TRUE(model.control({0x41, 0x41, 0, 1, 0}, none));
  }

  std::vector<std::uint8_t> cells;
  FlashMemory flash;
  std::chrono::steady_clock::time_point now;
  std::optional<PicobootModel> plugged;
  PicobootModel& model;  // what is plugged
};

TEST_F(Picoboot, DescribesMassStorageAndPicoboot) {
  EXPECT_EQ(model.descriptors().vendor_id(), 0x2e8aU);
  EXPECT_EQ(model.descriptors().product_id(), 3U);
  const auto interfaces = model.descriptors().interfaces();
  ASSERT_EQ(interfaces.size(), 2U);
  EXPECT_EQ(interfaces[0].class_code, 0x08);
  EXPECT_EQ(interfaces[0].endpoints, (std::vector<std::uint8_t>{0x81, 0x02}));
  EXPECT_EQ(interfaces[1].class_code, 0xff);
  EXPECT_EQ(interfaces[1].protocol, 0);
  EXPECT_EQ(interfaces[1].endpoints, (std::vector<std::uint8_t>{out, in}));
  const Bytes& configuration = model.descriptors().configuration;
  EXPECT_EQ(configuration[2] | configuration[3] << 8, static_cast<int>(configuration.size()));
}

TEST_F(Picoboot, ErasesWritesAndReads) {
  ASSERT_TRUE(command(0x01, {1}));
  EXPECT_TRUE(model.exclusive());
  ASSERT_TRUE(command(0x06, {}));
  ASSERT_TRUE(command(0x03, words({base + 4096, 8192})));
  EXPECT_EQ(flash.erases()[0], 0U);
  EXPECT_EQ(flash.erases()[1], 1U);
  EXPECT_EQ(flash.erases()[2], 1U);
  EXPECT_EQ(flash.erases()[3], 0U);
  ASSERT_TRUE(write(base + 4096, Bytes(300, 0x42)));
  EXPECT_EQ(cells[4096 + 299], 0x42);
  EXPECT_EQ(cells[4096 + 300], 0x00) << "the last page is filled with zeros";
  EXPECT_EQ(cells[4096 + 511], 0x00);
  EXPECT_EQ(cells[4096 + 512], 0xff);

  ASSERT_EQ(send(packet(0x84, words({base + 4096 + 298, 3}), 3)).handshake, Handshake::ack);
  EXPECT_EQ(status()[9], 1) << "in progress";
  Bytes into(64);
  const BulkStep step = model.bulk_in(in, into);
  EXPECT_EQ(step.bytes, 3U);
  EXPECT_EQ(into[0], 0x42);
  EXPECT_EQ(into[2], 0x00);
  EXPECT_EQ(model.bulk_in(in, into).handshake, Handshake::nak) << "it waits to be acknowledged";
  EXPECT_EQ(send({}).handshake, Handshake::ack);
  EXPECT_EQ(status()[9], 0);
  EXPECT_TRUE(command(0x06, {}));
}

TEST_F(Picoboot, AnAcknowledgementMayHaveOneByteButIsNoCommand) {
  ASSERT_EQ(send(packet(0x84, words({base, 1}), 1)).handshake, Handshake::ack);
  Bytes into(64);
  ASSERT_EQ(model.bulk_in(in, into).bytes, 1U);
  EXPECT_EQ(send({0}).handshake, Handshake::ack);
  ASSERT_EQ(send(packet(0x84, words({base, 1}), 1)).handshake, Handshake::ack);
  ASSERT_EQ(model.bulk_in(in, into).bytes, 1U);
  EXPECT_EQ(send(packet(0x06, {})).handshake, Handshake::stall);
  expect_refused(PicobootStatus::unknown_error, 0x84);
}

TEST_F(Picoboot, ANewCommandWaitsForTheAcknowledgementOfTheLast) {
  ASSERT_EQ(send(packet(0x06, {})).handshake, Handshake::ack);
  EXPECT_EQ(send(packet(0x06, {})).handshake, Handshake::nak);
  EXPECT_TRUE(acknowledged());
  EXPECT_TRUE(command(0x06, {}));
}

TEST_F(Picoboot, FlashThatIsNotErasedTakesWhatItCanAndSaysNothing) {
  EXPECT_TRUE(write(base, Bytes(256, 0x42)));
  EXPECT_EQ(cells[0], 0x00);
}

TEST_F(Picoboot, RefusesWhatIsNoCommandAndHaltsBoth) {
  for (Bytes bad : {Bytes(32), Bytes(31, 1), packet(0x06, {})}) {
    bad[0] ^= 1;
    EXPECT_EQ(send(bad).handshake, Handshake::ack) << "it was received";
    EXPECT_TRUE(model.halted());
    Bytes into(64);
    EXPECT_EQ(model.bulk_in(in, into).handshake, Handshake::stall);
    EXPECT_EQ(send(packet(0x06, {})).handshake, Handshake::stall);
    EXPECT_EQ(read_u32(status(), 0), 0U) << "there was no command to have a status";
    reset();
  }
  EXPECT_TRUE(command(0x06, {}));
}

TEST_F(Picoboot, RefusesBadCommandsByTheirStatus) {
  const auto refused = [&](std::uint8_t id, const Bytes& arguments, std::uint32_t transfer, PicobootStatus expected) {
    SCOPED_TRACE(testing::Message() << "command " << int{id} << ", status " << static_cast<std::uint32_t>(expected));
    EXPECT_EQ(send(packet(id, arguments, transfer)).handshake, Handshake::ack);
    expect_refused(expected, id);
  };
  refused(0x00, {}, 0, PicobootStatus::unknown_command);
  refused(0x77, {}, 0, PicobootStatus::unknown_command);
  refused(0x0a, Bytes(16), 0, PicobootStatus::unknown_command);  // REBOOT2 is the RP2350's
  refused(0x01, {}, 0, PicobootStatus::invalid_command_length);
  refused(0x06, {1}, 0, PicobootStatus::invalid_command_length);
  refused(0x06, {}, 1, PicobootStatus::invalid_transfer_length);
  refused(0x05, words({base, 256}), 255, PicobootStatus::invalid_transfer_length);
  refused(0x01, {3}, 0, PicobootStatus::unknown_error);
  refused(0x03, words({base + 256, 4096}), 0, PicobootStatus::bad_alignment);
  refused(0x03, words({base, 4095}), 0, PicobootStatus::bad_alignment);
  refused(0x03, words({base - 4096, 4096}), 0, PicobootStatus::invalid_address);
  refused(0x03, words({base, flash_bytes + 4096}), 0, PicobootStatus::invalid_address);
  refused(0x03, words({0xfffff000, 0xfffff000}), 0, PicobootStatus::invalid_address);
  refused(0x02, words({0x20000000, 0, 0}), 0, PicobootStatus::unknown_error);
  EXPECT_TRUE(model.take_events().empty());
}

TEST_F(Picoboot, RefusesBadRangesOnceDataIsToMove) {
  for (const auto& [address, expected] : {std::pair{base + 128, PicobootStatus::bad_alignment},
                                          std::pair{base + flash_bytes - 256, PicobootStatus::invalid_address},
                                          std::pair{0x20000000U, PicobootStatus::invalid_address}}) {
    EXPECT_EQ(send(packet(0x05, words({address, 512}), 512)).handshake, Handshake::ack);
    EXPECT_EQ(send(Bytes(64)).handshake, Handshake::stall);
    expect_refused(expected, 0x05);
  }
  EXPECT_EQ(send(packet(0x84, words({base + flash_bytes, 1}), 1)).handshake, Handshake::ack);
  expect_refused(PicobootStatus::invalid_address, 0x84);
}

TEST_F(Picoboot, MappedFlashTakesNoCommands) {
  ASSERT_TRUE(command(0x07, {}));
  EXPECT_EQ(send(packet(0x03, words({base, 4096}))).handshake, Handshake::ack);
  Bytes into(64);
  EXPECT_EQ(model.bulk_in(in, into).handshake, Handshake::stall);
  reset();
  ASSERT_TRUE(command(0x06, {}));
  EXPECT_TRUE(command(0x03, words({base, 4096})));
}

TEST_F(Picoboot, AResetEndsExclusiveAccessAndWhatIsUnderWay) {
  ASSERT_TRUE(command(0x01, {2}));
  ASSERT_TRUE(command(0x03, words({base, 4096})));
  ASSERT_EQ(send(packet(0x05, words({base, 512}), 512)).handshake, Handshake::ack);
  ASSERT_EQ(send(Bytes(100, 0x42)).bytes, 100U);
  reset();
  EXPECT_FALSE(model.exclusive());
  EXPECT_EQ(status(), Bytes(16));
  EXPECT_EQ(cells[0], 0xff) << "less than a page is not written";
  EXPECT_TRUE(command(0x06, {}));
}

TEST_F(Picoboot, RebootsOnce) {
  ASSERT_TRUE(command(0x02, words({0, 0, 20})));
  const auto events = model.take_events();
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].kind, DeviceEvent::Kind::restart);
  EXPECT_EQ(send(packet(0x06, {})).handshake, Handshake::ack);
  EXPECT_EQ(read_u32(status(), 4), static_cast<std::uint32_t>(PicobootStatus::rebooting));
}

TEST_F(Picoboot, TheNewerChipHasItsOwnReboot) {
  PicobootModel newer(flash, "V2", Chip::rp2350, {0x2e8a, 0x000f});
  EXPECT_EQ(newer.descriptors().product_id(), 0x000fU);
  Bytes bos(64);
  EXPECT_EQ(newer.control({0x80, 6, 0x0f00, 0, 64}, bos), 12U) << "a device of USB 2.1 has one";
  EXPECT_FALSE(model.control({0x80, 6, 0x0f00, 0, 64}, bos));
  EXPECT_EQ(newer.bulk_out(out, packet(0x02, Bytes(12))).handshake, Handshake::ack);
  EXPECT_TRUE(newer.halted());
  newer.bus_reset();
  EXPECT_EQ(newer.bulk_out(out, packet(0x0a, Bytes(16))).handshake, Handshake::ack);
  EXPECT_FALSE(newer.halted());
  EXPECT_EQ(newer.take_events().at(0).kind, DeviceEvent::Kind::restart);
}

TEST_F(Picoboot, StallsWhatItDoesNotHave) {
  Bytes data(16);
  EXPECT_EQ(model.bulk_out(PicobootModel::storage_out, data).handshake, Handshake::stall);
  EXPECT_EQ(model.bulk_in(PicobootModel::storage_in, data).handshake, Handshake::stall);
  EXPECT_FALSE(model.control({0xc1, 0x42, 0, 0, 16}, data)) << "of the mass-storage interface";
  EXPECT_FALSE(model.control({0xa1, 0x42, 0, 1, 16}, data)) << "class type";
  Bytes shorter(8);
  EXPECT_FALSE(model.control({0xc1, 0x42, 0, 1, 8}, shorter));
  EXPECT_FALSE(model.control({0xa1, 0xfe, 0, 0, 16}, data)) << "GET_MAX_LUN";
}

using PicobootFaults = Picoboot;

TEST_F(PicobootFaults, ATransferIsStalledAndTheNextIsNot) {
  plug("stall-at=2");
  EXPECT_EQ(send(packet(0x06, {})).handshake, Handshake::ack);
  EXPECT_FALSE(acknowledged());
  EXPECT_TRUE(acknowledged());
}

TEST_F(PicobootFaults, TheCableGoesBeforeATransferIsAnswered) {
  plug("unplug-at=3");
  EXPECT_TRUE(command(0x06, {}));
  EXPECT_EQ(send(packet(0x06, {})).handshake, Handshake::stall);
  EXPECT_TRUE(model.pulled_out());
  EXPECT_EQ(model.take_events().at(0).kind, DeviceEvent::Kind::unplug);
  EXPECT_FALSE(command(0x06, {}));
}

TEST_F(PicobootFaults, FromATransferOnNothingIsAnswered) {
  plug("silent-at=3");
  EXPECT_TRUE(command(0x06, {}));
  EXPECT_FALSE(model.silent());
  (void)send(packet(0x06, {}));
  EXPECT_TRUE(model.silent());
  Bytes data(16);
  EXPECT_FALSE(model.control({0xc1, 0x42, 0, 1, 16}, data));
}

TEST_F(PicobootFaults, BusyForLongIsNoAnswer) {
  plug("busy-ms=500");
  EXPECT_EQ(send(packet(0x03, words({base, 4096}))).handshake, Handshake::ack);
  Bytes into(64);
  EXPECT_EQ(model.bulk_in(in, into).handshake, Handshake::nak);
  const auto events = model.take_events();
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].kind, DeviceEvent::Kind::retry);
  EXPECT_EQ(events[0].delay.count(), 500);
  now += events[0].delay;
  EXPECT_TRUE(acknowledged());
}

TEST_F(PicobootFaults, ACommandEndsInThatStatus) {
  plug("status=BAD_ALIGNMENT@2");
  EXPECT_TRUE(command(0x06, {}));
  EXPECT_FALSE(command(0x03, words({base, 4096})));
  expect_refused(PicobootStatus::bad_alignment, 0x03);
}

TEST_F(PicobootFaults, AReadIsCutShortOrReadsWrong) {
  plug("short-upload@2,corrupt-flash@0x10000001");
  ASSERT_TRUE(command(0x03, words({base, 4096})));
  EXPECT_EQ(send(packet(0x84, words({base, 8}), 8)).handshake, Handshake::ack);
  Bytes into(64);
  EXPECT_EQ(model.bulk_in(in, into).bytes, 4U);
  EXPECT_EQ(Bytes(into.begin(), into.begin() + 4), (Bytes{0xff, 0xfe, 0xff, 0xff}));
}

}  // namespace
}  // namespace virtual_lab
