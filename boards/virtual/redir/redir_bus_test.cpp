#include "boards/virtual/redir/redir_bus.h"

#include <cerrno>
#include <fstream>
#include <iterator>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <usbredirparser.h>

#include "boards/virtual/cdc_model.h"
#include "boards/virtual/dfu_model.h"
#include "boards/virtual/dfuse_model.h"
#include "boards/virtual/redir/redir_session.h"
#include "boards/virtual/temporary_root.h"
#include "boards/virtual/unix_socket.h"

namespace virtual_lab {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

struct Answer {
  std::uint64_t id = 0;
  unsigned status = usb_redir_success;
  Bytes data;
  std::size_t length = 0;  // as the header has it
};

// QEMU's side of the protocol.
class Guest {
 public:
  Guest(EventLoop& loop, const std::filesystem::path& socket) : loop_(loop), parser_(usbredirparser_create()) {
    const auto address = unix_address(socket);
    fd_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    connected = address && ::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) == 0;
    set_callbacks();
    std::uint32_t capabilities[USB_REDIR_CAPS_SIZE] = {};
    for (const int capability :
         {usb_redir_cap_connect_device_version, usb_redir_cap_device_disconnect_ack,
          usb_redir_cap_ep_info_max_packet_size, usb_redir_cap_64bits_ids, usb_redir_cap_32bits_bulk_length}) {
      usbredirparser_caps_set_cap(capabilities, capability);
    }
    usbredirparser_init(parser_, "a guest", capabilities, USB_REDIR_CAPS_SIZE, 0);
    flush();
    loop_.watch(fd_.get(), POLLIN, [this](short) { serve(); });
  }
  Guest(const Guest&) = delete;
  Guest& operator=(const Guest&) = delete;
  ~Guest() {
    loop_.unwatch(fd_.get());
    usbredirparser_destroy(parser_);
  }

  void control(std::uint64_t id, const SetupPacket& setup, Bytes data = {}) {
    usb_redir_control_packet_header header{static_cast<std::uint8_t>(setup.request_type & 0x80),
                                           setup.request,
                                           setup.request_type,
                                           0,
                                           setup.value,
                                           setup.index,
                                           setup.length};
    usbredirparser_send_control_packet(parser_, id, &header, data.empty() ? nullptr : data.data(),
                                       static_cast<int>(data.size()));
    flush();
  }
  void bulk(std::uint64_t id, std::uint8_t endpoint, std::size_t length, Bytes data = {}) {
    usb_redir_bulk_packet_header header{endpoint, 0, static_cast<std::uint16_t>(length), 0,
                                        static_cast<std::uint16_t>(length >> 16)};
    usbredirparser_send_bulk_packet(parser_, id, &header, data.empty() ? nullptr : data.data(),
                                    static_cast<int>(data.size()));
    flush();
  }
  void cancel(std::uint64_t id) {
    usbredirparser_send_cancel_data_packet(parser_, id);
    flush();
  }
  void reset() {
    usbredirparser_send_reset(parser_);
    flush();
  }
  void set_configuration(std::uint64_t id, std::uint8_t configuration) {
    usb_redir_set_configuration_header header{configuration};
    usbredirparser_send_set_configuration(parser_, id, &header);
    usbredirparser_send_get_configuration(parser_, id + 1);
    flush();
  }
  void set_alternate(std::uint64_t id, std::uint8_t interface, std::uint8_t alternate) {
    usb_redir_set_alt_setting_header set{interface, alternate};
    usb_redir_get_alt_setting_header get{interface};
    usbredirparser_send_set_alt_setting(parser_, id, &set);
    usbredirparser_send_get_alt_setting(parser_, id + 1, &get);
    flush();
  }
  void start_receiving(std::uint8_t endpoint) {
    usb_redir_start_interrupt_receiving_header header{endpoint};
    usbredirparser_send_start_interrupt_receiving(parser_, 0, &header);
    flush();
  }
  void stop_receiving(std::uint8_t endpoint) {
    usb_redir_stop_interrupt_receiving_header header{endpoint};
    usbredirparser_send_stop_interrupt_receiving(parser_, 0, &header);
    flush();
  }
  void start_isochronous(std::uint8_t endpoint) {
    usb_redir_start_iso_stream_header header{endpoint, 1, 1};
    usbredirparser_send_start_iso_stream(parser_, 0, &header);
    flush();
  }
  void send_bytes(const Bytes& bytes) { (void)::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL); }
  void flush() { (void)usbredirparser_do_write(parser_); }

  bool connected = false;
  bool closed = false;
  std::vector<unsigned> products;  // of the devices that came, 0 for each that left
  usb_redir_ep_info_header endpoints{};
  usb_redir_interface_info_header interfaces{};
  std::vector<Answer> answers;
  std::vector<Answer> interrupts;
  std::vector<unsigned> receiving_status;

 private:
  static Guest& of(void* self) { return *static_cast<Guest*>(self); }

  void serve() {
    if (usbredirparser_do_read(parser_) < 0) {
      closed = true;
      loop_.unwatch(fd_.get());
      return;
    }
    flush();
  }

  void set_callbacks() {
    parser_->priv = this;
    parser_->log_func = [](void*, int, const char*) {};
    parser_->read_func = [](void* self, std::uint8_t* into, int size) {
      const ssize_t got = ::recv(of(self).fd_.get(), into, static_cast<std::size_t>(size), MSG_DONTWAIT);
      return got > 0 ? static_cast<int>(got) : (got < 0 && errno == EAGAIN ? 0 : -1);
    };
    parser_->write_func = [](void* self, std::uint8_t* from, int size) {
      return static_cast<int>(::send(of(self).fd_.get(), from, static_cast<std::size_t>(size), MSG_NOSIGNAL));
    };
    parser_->hello_func = [](void*, usb_redir_hello_header*) {};
    parser_->ep_info_func = [](void* self, usb_redir_ep_info_header* info) { of(self).endpoints = *info; };
    parser_->interface_info_func = [](void* self, usb_redir_interface_info_header* info) {
      of(self).interfaces = *info;
    };
    parser_->device_connect_func = [](void* self, usb_redir_device_connect_header* device) {
      of(self).products.push_back(device->product_id);
    };
    parser_->device_disconnect_func = [](void* self) { of(self).products.push_back(0); };
    parser_->configuration_status_func = [](void* self, std::uint64_t id,
                                            usb_redir_configuration_status_header* status) {
      of(self).answers.push_back({id, status->status, {status->configuration}, 1});
    };
    parser_->alt_setting_status_func = [](void* self, std::uint64_t id, usb_redir_alt_setting_status_header* status) {
      of(self).answers.push_back({id, status->status, {status->alt}, 1});
    };
    parser_->interrupt_receiving_status_func = [](void* self, std::uint64_t,
                                                  usb_redir_interrupt_receiving_status_header* status) {
      of(self).receiving_status.push_back(status->status);
    };
    parser_->control_packet_func = [](void* self, std::uint64_t id, usb_redir_control_packet_header* header,
                                      std::uint8_t* data, int size) {
      of(self).answers.push_back({id, header->status, Bytes(data, data + size), header->length});
      usbredirparser_free_packet_data(of(self).parser_, data);
    };
    parser_->bulk_packet_func = [](void* self, std::uint64_t id, usb_redir_bulk_packet_header* header,
                                   std::uint8_t* data, int size) {
      of(self).answers.push_back({id, header->status, Bytes(data, data + size),
                                  header->length | static_cast<std::size_t>(header->length_high) << 16});
      usbredirparser_free_packet_data(of(self).parser_, data);
    };
    parser_->interrupt_packet_func = [](void* self, std::uint64_t id, usb_redir_interrupt_packet_header* header,
                                        std::uint8_t* data, int size) {
      of(self).interrupts.push_back({id, header->status, Bytes(data, data + size), header->length});
      usbredirparser_free_packet_data(of(self).parser_, data);
    };
  }

  EventLoop& loop_;
  UniqueFd fd_;
  usbredirparser* parser_;
};

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
