#include "boards/virtual/usbfs_device.h"

#include <cerrno>

#include <gtest/gtest.h>

#include "boards/virtual/cdc_model.h"

namespace virtual_lab {
namespace {

class Usbfs : public testing::Test {
 protected:
  Usbfs() : model(std::make_shared<CdcModel>("V1")), device(model, std::make_shared<std::mutex>()) {
    device.on_reapable([this](bool now) { reapable = now; });
    client = device.open();
  }

  static std::unique_ptr<Urb> urb(std::uint64_t address, std::uint8_t endpoint, Bytes data) {
    auto one = std::make_unique<Urb>();
    one->address = address;
    one->endpoint = endpoint;
    one->data = std::move(data);
    return one;
  }
  static std::unique_ptr<Urb> control_urb(Bytes bytes) {
    auto one = urb(9, 0, std::move(bytes));
    one->type = UrbType::control;
    return one;
  }
  void say(std::string_view text) {
    model->write_output(Bytes(text.begin(), text.end()));
    device.pump();
  }

  std::shared_ptr<CdcModel> model;
  UsbfsDevice device;
  ClientId client = 0;
  bool reapable = false;
};

TEST_F(Usbfs, InTransfersEndInOrderWhenThereIsData) {
  ASSERT_EQ(device.submit(client, urb(1, 0x81, Bytes(4))), 0);
  ASSERT_EQ(device.submit(client, urb(2, 0x81, Bytes(4))), 0);
  EXPECT_EQ(device.reap(client).error, EAGAIN);
  EXPECT_FALSE(reapable);
  say("abcdef");
  EXPECT_TRUE(reapable);
  const auto first = device.reap(client).urb;
  ASSERT_TRUE(first);
  EXPECT_EQ(first->address, 1U);
  EXPECT_EQ(first->actual_bytes, 4U);
  const auto second = device.reap(client).urb;
  ASSERT_TRUE(second);
  EXPECT_EQ(second->actual_bytes, 2U);
  EXPECT_EQ(second->data[0], 'e');
  EXPECT_FALSE(reapable);
}

TEST_F(Usbfs, OutTransfersWaitForRoom) {
  ASSERT_EQ(device.submit(client, urb(1, 0x01, Bytes(CdcModel::input_bytes + 5, 'x'))), 0);
  EXPECT_EQ(device.reap(client).error, EAGAIN);
  model->consume_input(100);
  device.pump();
  const auto done = device.reap(client).urb;
  ASSERT_TRUE(done);
  EXPECT_EQ(done->status, 0);
  EXPECT_EQ(done->actual_bytes, CdcModel::input_bytes + 5);
}

TEST_F(Usbfs, ADiscardedUrbComesBackAndTheNextOneMovesUp) {
  ASSERT_EQ(device.submit(client, urb(1, 0x81, Bytes(4))), 0);
  ASSERT_EQ(device.submit(client, urb(2, 0x81, Bytes(4))), 0);
  EXPECT_EQ(device.discard(client, 1), 0);
  EXPECT_EQ(device.discard(client, 1), EINVAL);
  EXPECT_EQ(device.discard(client, 77), EINVAL);
  EXPECT_EQ(device.reap(client).urb->status, -ENOENT);
  say("x");
  EXPECT_EQ(device.reap(client).urb->address, 2U);
}

TEST_F(Usbfs, AClaimKeepsOthersOut) {
  const ClientId other = device.open();
  EXPECT_EQ(device.claim(client, 1), 0);
  EXPECT_EQ(device.claim(client, 1), 0);
  EXPECT_EQ(device.claim(other, 1), EBUSY);
  EXPECT_EQ(device.submit(other, urb(1, 0x81, Bytes(4))), EBUSY);
  EXPECT_EQ(device.release(other, 1), EINVAL);
  EXPECT_EQ(device.claim(other, 7), ENOENT);
  EXPECT_EQ(device.set_interface(client, 1, 1), EINVAL);
  EXPECT_EQ(device.release(client, 1), 0);
  EXPECT_EQ(device.submit(other, urb(1, 0x81, Bytes(4))), 0);
  EXPECT_EQ(device.claim(client, 1), EBUSY) << "claimed by its first use";
}

TEST_F(Usbfs, AClosedClientGivesBackWhatItHeld) {
  ASSERT_EQ(device.claim(client, 0), 0);
  ASSERT_EQ(device.submit(client, urb(1, 0x81, Bytes(4))), 0);
  device.close(client);
  const ClientId other = device.open();
  EXPECT_EQ(device.claim(other, 0), 0);
  ASSERT_EQ(device.submit(other, urb(2, 0x81, Bytes(4))), 0);
  say("data");
  EXPECT_EQ(device.reap(other).urb->actual_bytes, 4U) << "none of it went to the dead client";
}

TEST_F(Usbfs, UnplugEndsAllTransfersAndEverythingAfter) {
  ASSERT_EQ(device.submit(client, urb(1, 0x81, Bytes(4))), 0);
  ASSERT_EQ(device.submit(client, urb(2, 0x82, Bytes(4))), 0);
  device.disconnect();
  EXPECT_TRUE(reapable);
  EXPECT_EQ(device.reap(client).urb->status, -ESHUTDOWN);
  EXPECT_EQ(device.reap(client).urb->status, -ESHUTDOWN);
  EXPECT_EQ(device.reap(client).error, ENODEV);
  EXPECT_EQ(device.submit(client, urb(3, 0x81, Bytes(4))), ENODEV);
  EXPECT_EQ(device.claim(client, 0), ENODEV);
  EXPECT_EQ(device.reset(), ENODEV);
  Bytes none;
  EXPECT_EQ(device.control(client, {}, none), -ENODEV);
  device.pump();
  device.disconnect();
}

TEST_F(Usbfs, ControlTransfersCarryDataAndStalls) {
  Bytes ask{0x80, 6, 0, 1, 0, 0, 18, 0};
  ask.resize(8 + 18);
  ASSERT_EQ(device.submit(client, control_urb(ask)), 0);
  const auto done = device.reap(client).urb;
  EXPECT_EQ(done->actual_bytes, 18U);
  EXPECT_EQ(done->data[8], 18);
  ASSERT_EQ(device.submit(client, control_urb({0xc0, 1, 0, 0, 0, 0, 0, 0})), 0);
  EXPECT_EQ(device.reap(client).urb->status, -EPIPE);
}

TEST_F(Usbfs, RefusesMalformedUrbs) {
  EXPECT_EQ(device.submit(client, control_urb({0x80, 6, 0})), EINVAL);
  EXPECT_EQ(device.submit(client, control_urb({0x80, 6, 0, 1, 0, 0, 18, 0})), EINVAL);
  EXPECT_EQ(device.submit(client, control_urb({0x80, 6, 0, 1, 0, 0, 255, 255})), EINVAL);
  EXPECT_EQ(device.submit(client, urb(1, 0x8f, Bytes(4))), ENOENT);
  auto iso = urb(1, 0x81, Bytes(4));
  iso->type = UrbType::iso;
  EXPECT_EQ(device.submit(client, std::move(iso)), EINVAL);
}

TEST_F(Usbfs, BoundsWhatAClientCanPileUp) {
  std::size_t accepted = 0;
  while (accepted < 10000 && device.submit(client, urb(accepted, 0x82, Bytes(4))) == 0) ++accepted;
  EXPECT_EQ(accepted, UsbfsDevice::max_held_urbs);
  const ClientId other = device.open();
  EXPECT_EQ(device.submit(other, urb(1, 0x81, Bytes(UsbfsDevice::max_held_bytes + 1))), ENOMEM);
}

TEST_F(Usbfs, HandsEventsOfTheModelOn) {
  std::vector<DeviceEvent::Kind> kinds;
  device.on_event([&](const DeviceEvent& event) { kinds.push_back(event.kind); });
  ASSERT_EQ(device.submit(client, urb(1, 0x01, Bytes(4))), 0);
  EXPECT_EQ(kinds, std::vector{DeviceEvent::Kind::console_input});
}

TEST(UsbfsFaults, WhatADeviceDoesNotAnswerWaitsUntilItIsDiscarded) {
  TransferFaults faults;
  faults.silent_at = 1;
  const auto model = std::make_shared<CdcModel>("V1", ApplicationKind{}, &std::chrono::steady_clock::now, faults);
  UsbfsDevice device(model, std::make_shared<std::mutex>());
  const ClientId client = device.open();
  const auto submit = [&](std::uint64_t address, std::uint8_t endpoint, UrbType type, Bytes data) {
    auto urb = std::make_unique<Urb>();
    urb->address = address;
    urb->endpoint = endpoint;
    urb->type = type;
    urb->data = std::move(data);
    return device.submit(client, std::move(urb));
  };
  ASSERT_EQ(submit(1, 0, UrbType::control, {0x21, 0x22, 0, 0, 0, 0, 0, 0}), 0);
  ASSERT_EQ(submit(2, 0x01, UrbType::bulk, {'x'}), 0);
  model->write_output(Bytes{'y'});
  ASSERT_EQ(submit(3, 0x81, UrbType::bulk, Bytes(4)), 0);
  device.pump();
  EXPECT_EQ(device.reap(client).error, EAGAIN);
  Bytes none;
  EXPECT_EQ(device.control(client, {0x21, 0x22, 0, 0, 0}, none), -ETIMEDOUT);
  for (const std::uint64_t address : {1U, 2U, 3U}) {
    EXPECT_EQ(device.discard(client, address), 0);
    EXPECT_EQ(device.reap(client).urb->status, -ENOENT);
  }
}

}  // namespace
}  // namespace virtual_lab
