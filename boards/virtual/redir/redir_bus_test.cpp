#include "boards/virtual/redir/redir_bus.h"

#include <cerrno>
#include <fstream>
#include <iterator>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <usbredirparser.h>

#include "boards/virtual/cdc_model.h"
#include "boards/virtual/dfu_model.h"
#include "boards/virtual/dfuse_model.h"
#include "boards/virtual/redir/redir_guest_testing.h"
#include "boards/virtual/redir/redir_session.h"
#include "boards/virtual/temporary_root.h"

namespace virtual_lab {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// A console whose line state is told: what no board of ours does yet.
class Notifier : public CdcModel {
 public:
  Notifier() : CdcModel("V1") {}
  BulkStep bulk_in(std::uint8_t endpoint, std::span<std::uint8_t> into) override {
    if (endpoint != notification_in || news.empty()) return CdcModel::bulk_in(endpoint, into);
    const std::size_t size = give(news.front(), into);
    news.pop_front();
    return {Handshake::ack, size};
  }
  std::deque<Bytes> news;
};

// One that has always more to say.
class Fountain : public CdcModel {
 public:
  Fountain() : CdcModel("V1") {}
  BulkStep bulk_in(std::uint8_t /*endpoint*/, std::span<std::uint8_t> into) override {
    return {Handshake::ack, into.size()};
  }
};

class RedirTest : public testing::Test {
 protected:
  template <class Model = CdcModel>
  void plug(std::shared_ptr<Model> device) {
    plugged.reset();
    auto joined = bus.plug({.port = 1,
                            .model = std::move(device),
                            .board_mutex = std::make_shared<std::mutex>(),
                            .on_event = [this](const DeviceEvent& event) { events.push_back(event.kind); }});
    ASSERT_TRUE(joined) << joined.error();
    plugged = std::move(*joined);
  }
  // The application's console, and a guest that sees it.
  void connect() {
    if (!plugged) plug(model);
    guest = std::make_unique<Guest>(loop, folder / "1-1.sock");
    ASSERT_TRUE(guest->connected);
    ASSERT_TRUE(run_until([&] { return !guest->products.empty(); }));
  }
  bool run_until(const std::function<bool()>& done) {
    bool late = false;
    const auto timer = loop.after(std::chrono::seconds(10), [&] { late = true; });
    loop.run_until([&] { return late || done(); });
    loop.cancel(timer);
    return !late;
  }
  // The one answer that comes next.
  Answer answer() {
    if (!run_until([&] { return !guest->answers.empty(); })) return {0, 255, {}, 0};
    Answer first = guest->answers.front();
    guest->answers.erase(guest->answers.begin());
    return first;
  }
  std::shared_ptr<DfuseModel> bootloader(std::string_view faults = "") {
    return std::make_shared<DfuseModel>(flash, "V1", &std::chrono::steady_clock::now, Faults::parse(faults).value());
  }
  void say(std::string_view text) {
    model->write_output(Bytes(text.begin(), text.end()));
    plugged->pump();
  }
  [[nodiscard]] std::string log() const {
    std::ifstream file(folder / "log");
    return {std::istreambuf_iterator<char>(file), {}};
  }
  static std::string text(const Bytes& bytes) { return {bytes.begin(), bytes.end()}; }

  TemporaryRoot root = TemporaryRoot::make().value();
  std::filesystem::path folder = root.path();
  FlashLayout layout = FlashLayout::parse("@Flash /0x08000000/1*016Kg").value();
  Bytes cells = Bytes(layout.size, 0xff);
  FlashMemory flash{layout, cells};
  EventLoop loop;
  RedirBus bus{loop, folder, folder / "log"};
  std::shared_ptr<CdcModel> model = std::make_shared<CdcModel>("V1");
  std::unique_ptr<PluggedDevice> plugged;
  std::vector<DeviceEvent::Kind> events;
  std::unique_ptr<Guest> guest;
};

TEST_F(RedirTest, TheGuestIsToldOfTheDeviceWhatItsDescriptorsSay) {
  connect();
  EXPECT_THAT(guest->products, ElementsAre(0x5740));
  EXPECT_EQ(guest->interfaces.interface_count, 3U);
  EXPECT_EQ(guest->interfaces.interface_class[2], 0xfe);
  EXPECT_EQ(guest->endpoints.type[0x01], usb_redir_type_bulk);
  EXPECT_EQ(guest->endpoints.type[0x10 | 1], usb_redir_type_bulk);
  EXPECT_EQ(guest->endpoints.max_packet_size[0x10 | 1], 64);
  EXPECT_EQ(guest->endpoints.interface[0x10 | 1], 1);
  EXPECT_EQ(guest->endpoints.type[0x10 | 2], usb_redir_type_interrupt);
  EXPECT_EQ(guest->endpoints.interval[0x10 | 2], 16);
  EXPECT_EQ(guest->endpoints.type[0x02], usb_redir_type_invalid);
}

TEST_F(RedirTest, ADeviceThatComesAfterTheGuestIsToldThen) {
  plug(model);
  plugged.reset();
  guest = std::make_unique<Guest>(loop, folder / "1-1.sock");
  ASSERT_TRUE(run_until([&] { return log().find("connected: a guest") != std::string::npos; }));
  EXPECT_TRUE(guest->products.empty());
  plug(model);
  EXPECT_TRUE(run_until([&] { return guest->products.size() == 1; }));
}

TEST_F(RedirTest, ControlRequestsAreAnsweredWithNoMoreThanWasAskedFor) {
  connect();
  const Bytes& whole = model->descriptors().configuration;
  guest->control(1, {0x80, 6, 0x0200, 0, 9});
  EXPECT_EQ(answer().data, Bytes(whole.begin(), whole.begin() + 9));
  guest->control(2, {0x80, 6, 0x0200, 0, 4096});
  EXPECT_EQ(answer().data, whole);
  guest->control(3, {0x80, 6, 0x0600, 0, 10});  // a qualifier, which a device of full speed has not
  const Answer none = answer();
  EXPECT_EQ(none.status, unsigned{usb_redir_stall});
  EXPECT_TRUE(none.data.empty());
  const Bytes coding{0x80, 0x25, 0, 0, 0, 0, 8};
  guest->control(4, {0x21, 0x20, 0, 0, 7}, coding);
  EXPECT_EQ(answer().length, coding.size());
  guest->control(5, {0xa1, 0x21, 0, 0, 7});
  EXPECT_EQ(answer().data, coding);
  guest->control(6, {0x21, 0x22, 3, 77, 0});  // no such interface
  EXPECT_EQ(answer().status, unsigned{usb_redir_stall});
}

TEST_F(RedirTest, BulkTransfersWaitForWhatTheBoardSays) {
  connect();
  guest->bulk(1, 0x81, 512);
  guest->bulk(2, 0x81, 512);
  guest->bulk(3, 0x01, 5, {'h', 'e', 'l', 'l', 'o'});
  const Answer out = answer();
  EXPECT_EQ(out.id, 3U);
  EXPECT_EQ(out.length, 5U);
  EXPECT_EQ(text(model->pending_input()), "hello");
  EXPECT_THAT(events, ElementsAre(DeviceEvent::Kind::console_input));
  say("one");
  const Answer in = answer();
  EXPECT_EQ(in.id, 1U);
  EXPECT_EQ(text(in.data), "one");
  guest->bulk(4, 0x83, 512);  // no such endpoint
  EXPECT_EQ(answer().status, unsigned{usb_redir_stall});
  guest->bulk(5, 0x81, UsbfsDevice::max_held_bytes + 1);
  EXPECT_EQ(answer().status, unsigned{usb_redir_ioerror});
}

TEST_F(RedirTest, ACancelledTransferTakesNothingWithIt) {
  connect();
  guest->bulk(1, 0x81, 512);
  guest->cancel(1);
  EXPECT_EQ(answer().status, unsigned{usb_redir_cancelled});
  guest->cancel(1);
  guest->cancel(99);
  say("kept");
  guest->bulk(2, 0x81, 512);
  EXPECT_EQ(text(answer().data), "kept");
}

TEST_F(RedirTest, WhoAsksForMoreThanItReadsGetsItAllTheSame) {
  plug(std::make_shared<Fountain>());
  connect();
  constexpr std::size_t count = 100;
  constexpr std::size_t length = 100'000;  // of which neither the socket nor the session holds as many
  for (std::uint64_t id = 1; id <= count; ++id) guest->bulk(id, 0x81, length);
  ASSERT_TRUE(run_until([&] { return guest->answers.size() == count; }));
  for (std::size_t at = 0; at < count; ++at) {
    EXPECT_EQ(guest->answers[at].id, at + 1);
    EXPECT_EQ(guest->answers[at].data.size(), length);
  }
}

TEST_F(RedirTest, ConfigurationAndAlternateSettings) {
  connect();
  guest->set_configuration(1, 1);
  EXPECT_EQ(answer().status, unsigned{usb_redir_success});
  EXPECT_EQ(answer().data, Bytes{1});
  guest->set_configuration(7, 2);
  EXPECT_EQ(answer().status, unsigned{usb_redir_stall});
  EXPECT_EQ(answer().data, Bytes{1});
  guest->set_alternate(3, 1, 0);
  EXPECT_EQ(answer().status, unsigned{usb_redir_success});
  EXPECT_EQ(answer().data, Bytes{0});
  guest->set_alternate(5, 1, 1);
  EXPECT_EQ(answer().status, unsigned{usb_redir_stall});
}

TEST_F(RedirTest, ABusResetReachesTheModel) {
  model = std::make_shared<CdcModel>("V1", ApplicationKind{.dfu = {.will_detach = false}});
  connect();
  guest->reset();
  guest->control(1, {0x21, 0, 255, 2, 0});  // DETACH
  EXPECT_EQ(answer().status, unsigned{usb_redir_success});
  EXPECT_TRUE(events.empty());
  guest->reset();
  ASSERT_TRUE(run_until([&] { return !events.empty(); }));
  EXPECT_THAT(events, ElementsAre(DeviceEvent::Kind::bus_reset));
}

TEST_F(RedirTest, ABoardThatComesBackAsAnotherDeviceIsUnpluggedFirst) {
  connect();
  guest->bulk(1, 0x81, 512);
  plug(bootloader());
  ASSERT_TRUE(run_until([&] { return guest->products.size() == 3; }));
  EXPECT_THAT(guest->products, ElementsAre(0x5740, 0, 0xdf11));
  EXPECT_TRUE(guest->answers.empty()) << "the guest has ended that transfer itself";
  guest->control(2, {0xa1, 5, 0, 0, 1});
  EXPECT_EQ(answer().data, Bytes{2}) << "dfuIDLE";
}

TEST_F(RedirTest, ABoardThatABusResetRestartsComesBackWhenTheGuestIsDoneWithIt) {
  connect();
  const auto begun = std::chrono::steady_clock::now();
  guest->reset();
  guest->control(1, {0x80, 8, 0, 0, 1});
  EXPECT_EQ(answer().status, unsigned{usb_redir_success});
  plug(model);
  ASSERT_TRUE(run_until([&] { return guest->products.size() == 3; }));
  EXPECT_GE(std::chrono::steady_clock::now() - begun, RedirSession::reset_time);
  EXPECT_THAT(guest->products, ElementsAre(0x5740, 0, 0x5740));
}

TEST_F(RedirTest, ACableThatIsPulledOutIsNoStall) {
  plug(bootloader("unplug-at=2"));
  connect();
  guest->control(1, {0xa1, 5, 0, 0, 1});
  EXPECT_EQ(answer().status, unsigned{usb_redir_success});
  guest->control(2, {0xa1, 5, 0, 0, 1});
  EXPECT_EQ(answer().status, unsigned{usb_redir_ioerror});
  ASSERT_TRUE(run_until([&] { return !events.empty(); }));
  EXPECT_THAT(events, ElementsAre(DeviceEvent::Kind::unplug));
}

TEST_F(RedirTest, WhatIsNotAnsweredWaitsUntilTheGuestCancelsIt) {
  plug(bootloader("silent-at=1"));
  connect();
  guest->control(1, {0xa1, 5, 0, 0, 1});
  guest->control(2, {0xa1, 5, 0, 0, 1});
  guest->cancel(2);
  const Answer cancelled = answer();
  EXPECT_EQ(cancelled.id, 2U);
  EXPECT_EQ(cancelled.status, unsigned{usb_redir_cancelled});
  EXPECT_TRUE(cancelled.data.empty());
}

TEST_F(RedirTest, InterruptEndpointsAreListenedToUntilTheGuestStops) {
  auto notifier = std::make_shared<Notifier>();
  plug(notifier);
  connect();
  guest->start_receiving(0x84);               // no such endpoint
  guest->start_receiving(CdcModel::data_in);  // bulk
  guest->start_receiving(CdcModel::notification_in);
  ASSERT_TRUE(run_until([&] { return guest->receiving_status.size() == 3; }));
  EXPECT_THAT(guest->receiving_status, ElementsAre(usb_redir_stall, usb_redir_stall, usb_redir_success));
  notifier->news = {{1, 2, 3}, {4}};
  plugged->pump();
  ASSERT_TRUE(run_until([&] { return guest->interrupts.size() == 2; }));
  EXPECT_EQ(guest->interrupts[0].data, (Bytes{1, 2, 3}));
  EXPECT_EQ(guest->interrupts[1].data, Bytes{4});
  guest->stop_receiving(CdcModel::notification_in);
  ASSERT_TRUE(run_until([&] { return guest->receiving_status.size() == 4; }));
  notifier->news = {{5}};
  plugged->pump();
  EXPECT_EQ(notifier->news.size(), 1U);
}

TEST_F(RedirTest, AGuestThatComesBackFindsTheBoardAsItIs) {
  connect();
  guest->bulk(1, 0x81, 512);
  guest.reset();
  ASSERT_TRUE(run_until([&] { return log().find("disconnected") != std::string::npos; }));
  say("said meanwhile");
  connect();
  guest->bulk(1, 0x81, 512);
  EXPECT_EQ(text(answer().data), "said meanwhile");
}

TEST_F(RedirTest, AGuestThatComesBackMayResetABootloaderAsItEnumeratesIt) {
  plug(std::make_shared<DfuModel>(flash, "V1", &std::chrono::steady_clock::now, DfuManners{}, Faults{}));
  connect();
  guest->set_configuration(1, 1);
  EXPECT_EQ(answer().status, unsigned{usb_redir_success});
  guest.reset();
  ASSERT_TRUE(run_until([&] { return log().find("disconnected") != std::string::npos; }));
  connect();
  guest->reset();
  guest->control(2, {0xa1, 5, 0, 0, 1});
  EXPECT_EQ(answer().data, Bytes{static_cast<std::uint8_t>(DfuState::idle)});
  EXPECT_THAT(events, testing::IsEmpty()) << "it has not left for its application";
}

TEST_F(RedirTest, ThereIsOneGuestAtATime) {
  connect();
  Guest second(loop, folder / "1-1.sock");
  EXPECT_TRUE(run_until([&] { return second.closed; }));
  guest->control(1, {0x80, 8, 0, 0, 1});
  EXPECT_EQ(answer().data, Bytes{0});
  EXPECT_THAT(log(), HasSubstr("1-1: refused: there is a connection already"));
}

TEST_F(RedirTest, WhoDoesNotKeepToTheProtocolIsClosedAndTheNextIsServed) {
  connect();
  guest->send_bytes(Bytes(64, 0xee));
  EXPECT_TRUE(run_until([&] { return guest->closed; }));
  EXPECT_THAT(log(), HasSubstr("1-1: closed: the peer does not speak usb-redir"));
  connect();
  guest->start_isochronous(0x83);
  EXPECT_TRUE(run_until([&] { return guest->closed; }));
  EXPECT_THAT(log(), HasSubstr("asks for an isochronous stream"));
  connect();
}

}  // namespace
}  // namespace virtual_lab
