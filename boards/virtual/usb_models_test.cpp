#include <gtest/gtest.h>

#include "boards/virtual/cdc_model.h"
#include "boards/virtual/hub_model.h"

namespace virtual_lab {
namespace {

Bytes text(std::string_view characters) { return {characters.begin(), characters.end()}; }

TEST(Cdc, DescriptorsMatchTheContract) {
  const CdcModel model("V1");
  EXPECT_EQ(model.descriptors().vendor_id(), 0x0483U);
  EXPECT_EQ(model.descriptors().product_id(), 0x5740U);
  const auto interfaces = model.descriptors().interfaces();
  ASSERT_EQ(interfaces.size(), 3U);
  EXPECT_EQ(interfaces[0].endpoints, std::vector<std::uint8_t>{0x82});
  EXPECT_EQ(interfaces[1].endpoints, (std::vector<std::uint8_t>{0x01, 0x81}));
  EXPECT_EQ(interfaces[2].class_code, 0xfe);
  EXPECT_EQ(interfaces[2].protocol, 0x01);
  const Bytes& configuration = model.descriptors().configuration;
  EXPECT_EQ(configuration[2] | configuration[3] << 8, static_cast<int>(configuration.size()));
}

TEST(Cdc, InputWaitsForTheFirmwareAndThenIsRefused) {
  CdcModel model("V1");
  const Bytes input(CdcModel::input_bytes + 100, 'x');
  EXPECT_EQ(model.bulk_out(CdcModel::data_out, input).bytes, CdcModel::input_bytes);
  EXPECT_EQ(model.take_events().at(0).kind, DeviceEvent::Kind::console_input);
  EXPECT_EQ(model.bulk_out(CdcModel::data_out, input).handshake, Handshake::nak);
  model.consume_input(10);
  EXPECT_EQ(model.bulk_out(CdcModel::data_out, input).bytes, 10U);
  model.consume_input(1000000);
  EXPECT_TRUE(model.pending_input().empty());
}

TEST(Cdc, OutputThatNobodyReadsLosesItsOldest) {
  CdcModel model("V1");
  Bytes into(5);
  EXPECT_EQ(model.bulk_in(CdcModel::data_in, into).handshake, Handshake::nak);
  model.write_output(text("old"));
  model.write_output(Bytes(CdcModel::output_bytes - 3, '-'));
  EXPECT_EQ(model.dropped_output_bytes(), 0U);
  model.write_output(text("new"));
  EXPECT_EQ(model.dropped_output_bytes(), 3U);
  EXPECT_EQ(model.bulk_in(CdcModel::data_in, into).bytes, 5U);
  EXPECT_EQ(into, text("-----"));
}

TEST(Cdc, KeepsTheLineCoding) {
  CdcModel model("V1");
  Bytes coding{1, 2, 3, 4, 5, 6, 7};
  EXPECT_EQ(model.control({0x21, 0x20, 0, 0, 7}, coding), 7U);
  Bytes again(7);
  EXPECT_EQ(model.control({0xa1, 0x21, 0, 0, 7}, again), 7U);
  EXPECT_EQ(again, coding);
  Bytes wrong(6);
  EXPECT_FALSE(model.control({0x21, 0x20, 0, 0, 6}, wrong));
  Bytes none;
  EXPECT_TRUE(model.control({0x21, 0x22, 3, 0, 0}, none));
}

TEST(Cdc, DetachLeadsToTheBootloaderOnce) {
  CdcModel model("V1");
  Bytes none;
  EXPECT_TRUE(model.control({0x21, 0, 1000, 2, 0}, none));
  EXPECT_TRUE(model.control({0x21, 0, 1000, 2, 0}, none));
  const auto events = model.take_events();
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].kind, DeviceEvent::Kind::enter_bootloader);
  Bytes state(1);
  EXPECT_TRUE(model.control({0xa1, 5, 0, 2, 1}, state));
  EXPECT_EQ(state[0], 1);  // appDETACH
}

class PicoApplication : public testing::Test {
 protected:
  bool to_bootloader_once() {
    const auto events = model.take_events();
    return events.size() == 1 && events[0].kind == DeviceEvent::Kind::enter_bootloader;
  }
  CdcModel model{"V1", {.ids = {0x2e8a, 0x000a}, .way_down = ApplicationKind::WayDown::reset_interface}};
  Bytes none;
};

TEST_F(PicoApplication, HasAResetInterfaceAndNoDfu) {
  EXPECT_EQ(model.descriptors().vendor_id(), 0x2e8aU);
  EXPECT_EQ(model.descriptors().product_id(), 0x000aU);
  const auto interfaces = model.descriptors().interfaces();
  ASSERT_EQ(interfaces.size(), 3U);
  EXPECT_EQ(interfaces[2].class_code, 0xff);
  EXPECT_EQ(interfaces[2].subclass, 0);
  EXPECT_EQ(interfaces[2].protocol, 1);
  const Bytes& configuration = model.descriptors().configuration;
  EXPECT_EQ(configuration[2] | configuration[3] << 8, static_cast<int>(configuration.size()));
}

TEST_F(PicoApplication, IsAskedForItsBootloaderOrToRestart) {
  EXPECT_TRUE(model.control({0x21, 2, 0, 2, 0}, none));
  EXPECT_EQ(model.take_events().at(0).kind, DeviceEvent::Kind::restart);
  EXPECT_TRUE(model.control({0x21, 1, 0, 2, 0}, none));
  EXPECT_TRUE(model.control({0x21, 1, 0, 2, 0}, none));
  EXPECT_TRUE(to_bootloader_once());
  EXPECT_FALSE(model.control({0x41, 1, 0, 2, 0}, none)) << "vendor type";
  EXPECT_FALSE(model.control({0x21, 3, 0, 2, 0}, none));
}

TEST_F(PicoApplication, TakesTwelveHundredBaudForARequest) {
  Bytes fast{0x00, 0xc2, 0x01, 0x00, 0, 0, 8};
  EXPECT_TRUE(model.control({0x21, 0x20, 0, 0, 7}, fast));
  EXPECT_TRUE(model.take_events().empty());
  Bytes slow{0xb0, 0x04, 0x00, 0x00, 0, 0, 8};
  EXPECT_TRUE(model.control({0x21, 0x20, 0, 0, 7}, slow));
  EXPECT_TRUE(to_bootloader_once());
  CdcModel other("V1");
  EXPECT_TRUE(other.control({0x21, 0x20, 0, 0, 7}, slow));
  EXPECT_TRUE(other.take_events().empty());
}

TEST(Cdc, HasOneConfigurationOnceAHostHasSetIt) {
  CdcModel model("V1");
  Bytes none;
  Bytes answer(1);
  EXPECT_EQ(model.control({0x80, 8, 0, 0, 1}, answer), 1U);
  EXPECT_EQ(answer, Bytes{0});
  EXPECT_TRUE(model.control({0x00, 9, 1, 0, 0}, none));
  EXPECT_FALSE(model.control({0x00, 9, 2, 0, 0}, none));
  EXPECT_EQ(model.control({0x80, 8, 0, 0, 1}, answer), 1U);
  EXPECT_EQ(answer, Bytes{1});
}

TEST(Cdc, TakesAnEmptyPacket) {
  CdcModel model("V1");
  EXPECT_EQ(model.bulk_out(CdcModel::data_out, {}).handshake, Handshake::ack);
  EXPECT_TRUE(model.take_events().empty());
}

// DFU 1.1, chapter 5.1.
TEST(Cdc, WithoutWillDetachTheBusResetLeadsToTheBootloaderWithinItsTime) {
  std::chrono::steady_clock::time_point now{};
  now += std::chrono::hours(1);
  CdcModel model("V1", {.dfu = {.will_detach = false, .version = 0x0110}}, [&] { return now; });
  Bytes none;
  Bytes state(1);
  EXPECT_TRUE(model.control({0x21, 0, 1000, 2, 0}, none));
  EXPECT_TRUE(model.take_events().empty());
  now += std::chrono::milliseconds(254);
  EXPECT_TRUE(model.control({0xa1, 5, 0, 2, 1}, state));
  EXPECT_EQ(state[0], 1);  // appDETACH
  now += std::chrono::milliseconds(1);
  EXPECT_TRUE(model.control({0xa1, 5, 0, 2, 1}, state));
  EXPECT_EQ(state[0], 0) << "appIDLE: its time is over";
  model.bus_reset();
  EXPECT_TRUE(model.take_events().empty()) << "too late";

  EXPECT_TRUE(model.control({0x21, 0, 100, 2, 0}, none));
  now += std::chrono::milliseconds(99);
  model.bus_reset();
  model.bus_reset();
  const auto events = model.take_events();
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].kind, DeviceEvent::Kind::bus_reset);
}

TEST(Cdc, StallsWhatItDoesNotHave) {
  CdcModel model("V1");
  Bytes data(8);
  EXPECT_EQ(model.bulk_out(0x05, data).handshake, Handshake::stall);
  EXPECT_EQ(model.bulk_in(0x85, data).handshake, Handshake::stall);
  EXPECT_FALSE(model.control({0x80, 6, 0x0f00, 0, 8}, data));  // BOS
  EXPECT_FALSE(model.control({0x80, 6, 0x0309, 0, 8}, data));  // string 9
  EXPECT_FALSE(model.control({0x21, 1, 0, 2, 8}, data));       // DNLOAD at run time
  EXPECT_FALSE(model.control({0xc0, 1, 0, 0, 8}, data));       // vendor request
  EXPECT_FALSE(model.control({0x80, 6, 0x0100, 0, 18}, data)) << "less room than setup.length says";
}

TEST(Hub, SwitchesPowerPerPort) {
  HubModel hub(4);
  Bytes descriptor(64);
  ASSERT_EQ(hub.control({0xa0, 6, 0x2900, 0, 64}, descriptor), 9U);
  EXPECT_EQ(descriptor[0], 9);
  EXPECT_EQ(descriptor[2], 4);
  EXPECT_EQ(descriptor[3] & 3, 1) << "individual port power switching";
  Bytes none;
  EXPECT_TRUE(hub.control({0x23, 1, 8, 2, 0}, none));
  const auto events = hub.take_events();
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].kind, DeviceEvent::Kind::port_power);
  EXPECT_EQ(events[0].port, 2U);
  EXPECT_FALSE(events[0].on);
}

TEST(Hub, ReportsConnectionAndItsChange) {
  HubModel hub(4);
  hub.show_connected(2, true);
  Bytes status(4);
  ASSERT_EQ(hub.control({0xa3, 0, 0, 2, 4}, status), 4U);
  EXPECT_EQ(status, (Bytes{0x03, 0x01, 0x01, 0x00}));
  Bytes none;
  EXPECT_TRUE(hub.control({0x23, 1, 16, 2, 0}, none));
  hub.show_power(2, false);
  ASSERT_EQ(hub.control({0xa3, 0, 0, 2, 4}, status), 4U);
  EXPECT_EQ(status, (Bytes{0, 0, 0, 0}));
}

TEST(Hub, HasABitForEachPort) {
  HubModel hub(15);
  Bytes descriptor(64);
  ASSERT_EQ(hub.control({0xa0, 6, 0x2900, 0, 64}, descriptor), 11U);
  EXPECT_EQ(Bytes(descriptor.begin() + 7, descriptor.begin() + 11), (Bytes{0, 0, 0xff, 0xff}));
}

// USB 3.2, tables 10-3, 10-13 and 9-22.
TEST(Hub, OfUsb3IsAnotherKindOfHub) {
  const Bytes id{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
  HubModel hub(HubKind{.ports = 4, .superspeed = true, .serial = "HUB4", .container_id = id});
  const Bytes& device = hub.descriptors().device;
  EXPECT_EQ(Bytes(device.begin() + 2, device.begin() + 8), (Bytes{0x00, 0x03, 9, 0, 3, 9}));
  Bytes data(64);
  EXPECT_FALSE(hub.control({0xa0, 6, 0x2900, 0, 64}, data)) << "not USB 2's";
  ASSERT_EQ(hub.control({0xa0, 6, 0x2a00, 0, 64}, data), 12U);
  EXPECT_EQ(Bytes(data.begin(), data.begin() + 5), (Bytes{12, 0x2a, 4, 0x09, 0x00}));
  Bytes status(4);
  ASSERT_EQ(hub.control({0xa3, 0, 0, 2, 4}, status), 4U);
  EXPECT_EQ(status, (Bytes{0xa0, 0x02, 0, 0})) << "powered, and looks for a receiver";
  Bytes none;
  EXPECT_TRUE(hub.control({0x23, 1, 8, 2, 0}, none));
  EXPECT_FALSE(hub.powered(2));
  EXPECT_TRUE(hub.powered(3));
  ASSERT_EQ(hub.control({0xa3, 0, 0, 2, 4}, status), 4U);
  EXPECT_EQ(status, (Bytes{0x80, 0, 0, 0}));

  const std::size_t bos = hub.control({0x80, 6, 0x0f00, 0, 64}, data).value_or(0);
  ASSERT_EQ(bos, 5U + 7 + 10 + 20);
  EXPECT_EQ(Bytes(data.begin(), data.begin() + 5), (Bytes{5, 15, 42, 0, 3}));
  EXPECT_EQ(Bytes(data.begin() + 26, data.begin() + 42), id);
}

TEST(Hub, ThatSwitchesNothingSaysSo) {
  HubModel hub(HubKind{.ports = 4, .switches_ports = false});
  Bytes descriptor(64);
  ASSERT_TRUE(hub.control({0xa0, 6, 0x2900, 0, 64}, descriptor));
  EXPECT_EQ(descriptor[3] & 3, 2);
  Bytes none;
  EXPECT_TRUE(hub.control({0x23, 1, 8, 2, 0}, none));
  EXPECT_TRUE(hub.powered(2));
  EXPECT_TRUE(hub.take_events().empty());
}

TEST(Hub, RefusesPortsThatItDoesNotHave) {
  HubModel hub(4);
  Bytes none;
  EXPECT_FALSE(hub.control({0x23, 3, 8, 0, 0}, none));
  EXPECT_FALSE(hub.control({0x23, 3, 8, 5, 0}, none));
  hub.show_connected(200, true);
  hub.show_power(0, true);
  EXPECT_TRUE(hub.take_events().empty());
}

}  // namespace
}  // namespace virtual_lab
