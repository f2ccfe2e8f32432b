#include <cstdio>
#include <cstdlib>
#include <fstream>

#include <gmock/gmock.h>
#include <unistd.h>

#include "boards/process/openssl_client/backoff.h"
#include "boards/process/openssl_client/claim_session.h"
#include "boards/process/openssl_client/https_publisher.h"
#include "boards/process/openssl_client/mqtt_session.h"
#include "boards/process/openssl_client/own_identity.h"
#include "boards/process/openssl_client/ticket_store.h"

namespace openssl_client {
namespace {

using ::testing::SizeIs;

Bytes connack(Bytes properties = {}, bool session_present = false) {
  Bytes packet = {0x20, static_cast<std::uint8_t>(3 + properties.size()),
                  session_present ? std::uint8_t{1} : std::uint8_t{0}, 0, static_cast<std::uint8_t>(properties.size())};
  packet.insert(packet.end(), properties.begin(), properties.end());
  return packet;
}
Bytes suback(std::uint8_t packet_id, std::uint8_t reason = 1) { return {0x90, 4, 0, packet_id, 0, reason}; }
Bytes puback(std::uint16_t id) { return {0x40, 2, static_cast<std::uint8_t>(id >> 8U), static_cast<std::uint8_t>(id)}; }

class Sessions : public ::testing::Test {
 protected:
  Sessions() {
    settings_.client_id = "unit";
    settings_.topic = "t";
  }
  std::vector<Packet> said() {
    Bytes octets = session_.take_output();
    std::vector<Packet> packets;
    while (auto packet = take_packet(octets, 1000)) packets.push_back(*packet);
    return packets;
  }
  std::vector<PublishPacket> published() {
    std::vector<PublishPacket> messages;
    for (const Packet& packet : said()) {
      if (packet.type == PacketType::publish) messages.push_back(decode_publish(packet));
    }
    return messages;
  }
  void begin(const Bytes& answer) {
    session_.begin(now_);
    (void)said();
    session_.receive(answer, now_);
  }
  void later(Milliseconds time) {
    now_ += time;
    session_.tick(now_);
  }

  Settings settings_;
  MqttSession session_{settings_};
  Clock::time_point now_ = Clock::now();
};

TEST_F(Sessions, ConnectSubscribeAndPublishInThatOrder) {
  session_.begin(now_);
  ASSERT_THAT(said(), SizeIs(1));
  session_.receive(connack(), now_);
  const auto subscribe = said();
  ASSERT_THAT(subscribe, SizeIs(1));
  EXPECT_EQ(subscribe[0].type, PacketType::subscribe);
  later(Milliseconds(0));
  EXPECT_THAT(published(), SizeIs(1));
}

TEST_F(Sessions, WhatWasNotAcknowledgedIsSentAgainInASessionThatGoesOn) {
  begin(connack());
  later(Milliseconds(0));
  const auto first = published();
  begin(connack({}, true));
  const auto again = published();
  ASSERT_THAT(again, SizeIs(1));
  EXPECT_TRUE(again[0].duplicate);
  EXPECT_EQ(again[0].packet_id, first[0].packet_id);
  EXPECT_EQ(again[0].payload, first[0].payload);
  session_.receive(puback(again[0].packet_id), now_);
  EXPECT_EQ(session_.unacknowledged(), 0U);
  begin(connack({}, true));
  EXPECT_THAT(published(), SizeIs(0));
}

TEST_F(Sessions, ANewSessionHasNoDuplicates) {
  begin(connack());
  later(Milliseconds(0));
  (void)said();
  begin(connack());
  const auto again = published();
  ASSERT_THAT(again, SizeIs(1));
  EXPECT_FALSE(again[0].duplicate);
}

TEST_F(Sessions, TheServersReceiveMaximumHolds) {
  begin(connack({0x21, 0, 1}));
  later(Milliseconds(0));
  ASSERT_THAT(published(), SizeIs(1));
  later(settings_.publish_interval);
  EXPECT_THAT(published(), SizeIs(0)) << "one is under way";
  EXPECT_EQ(session_.unacknowledged(), 1U);
}

TEST_F(Sessions, TheServersMaximumPacketSizeHolds) {
  begin(connack({0x27, 0, 0, 0, 10}));
  later(Milliseconds(0));
  EXPECT_THAT(published(), SizeIs(0));
}

TEST_F(Sessions, TheServersKeepAliveReplacesItsOwn) {
  begin(connack({0x13, 0, 4, 0x27, 0, 0, 0, 10}));  // 4 s, and room for nothing else to be said
  session_.receive(suback(1), now_);
  (void)said();
  later(Milliseconds(2900));
  EXPECT_THAT(said(), SizeIs(0));
  later(Milliseconds(200));
  const auto ping = said();
  ASSERT_THAT(ping, SizeIs(1));
  EXPECT_EQ(ping[0].type, PacketType::pingreq);
  EXPECT_THROW(later(Milliseconds(2000)), ConnectionLost) << "nobody answered the ping";
}

TEST_F(Sessions, ARefusalEndsTheConnection) {
  session_.begin(now_);
  EXPECT_THROW(session_.receive({0x20, 3, 0, 0x87, 0}, now_), ConnectionLost);
}

TEST_F(Sessions, ASubscriptionThatFailsOrIsNotAnsweredEndsTheConnection) {
  begin(connack());
  EXPECT_THROW(session_.receive(suback(1, 0x87), now_), ConnectionLost);
  begin(connack());
  EXPECT_THROW(later(Milliseconds(10'000)), ConnectionLost);
}

TEST_F(Sessions, MessagesToItAreAcknowledgedByTheirOwnIds) {
  begin(connack());
  (void)said();
  session_.receive({0x32, 6, 0, 1, 'c', 0x12, 0x34, 0}, now_);
  const auto answer = said();
  ASSERT_THAT(answer, SizeIs(1));
  EXPECT_EQ(decode_puback(answer[0]).packet_id, 0x1234);
}

TEST_F(Sessions, MalformedPacketsEndTheConnection) {
  const std::vector<Bytes> all = {
      {0x30, 0xff, 0xff, 0xff, 0xff, 0x01},  // a length of five octets
      {0x00, 0x00},                          // a reserved type
      {0x32, 1, 0},                          // a PUBLISH cut short
      {0x36, 5, 0, 1, 'c', 0, 0},            // QoS 3
      {0x41, 2, 0, 1},                       // PUBACK with flags
      {0x80, 0x00},                          // SUBSCRIBE, which only clients say
  };
  for (const Bytes& octets : all) {
    begin(connack());
    EXPECT_THROW(session_.receive(octets, now_), ConnectionLost) << static_cast<int>(octets[0]);
  }
}

class Claims : public ::testing::Test {
 protected:
  Claims() { (void)session_.take_output(); }
  static Settings told() {
    Settings settings;
    settings.client_id = "unit";
    settings.fleet_template = "lamp";
    return settings;
  }
  /// What it answers to that.
  std::vector<Packet> on(const Bytes& octets) {
    session_.receive(octets, now_);
    Bytes said = session_.take_output();
    std::vector<Packet> packets;
    while (auto packet = take_packet(said, 4000)) packets.push_back(*packet);
    return packets;
  }
  PublishPacket asked(const Bytes& octets) {
    const auto packets = on(octets);
    EXPECT_THAT(packets, SizeIs(1));
    return decode_publish(packets.at(0));
  }
  PublishPacket asked_for_certificate() {
    EXPECT_THAT(on(connack()), SizeIs(1));
    EXPECT_THAT(on(suback(1)), SizeIs(1));
    return asked(suback(2));
  }
  static Bytes message(const std::string& topic, const std::string& payload) {
    return encode(PublishPacket{topic, payload, 0, false, 0});
  }

  const std::string create_ = "$aws/certificates/create-from-csr/json";
  const std::string provision_ = "$aws/provisioning-templates/lamp/provision/json";
  const std::string made_ = R"({"certificateId":"1","certificatePem":"PEM","certificateOwnershipToken":"token"})";
  const Settings settings_ = told();
  Clock::time_point now_ = Clock::now();
  ClaimSession session_{settings_, "CSR", now_};
};

TEST_F(Claims, TwoStepsLeadToACertificate) {
  const PublishPacket create = asked_for_certificate();
  EXPECT_EQ(create.topic, create_);
  EXPECT_EQ(create.payload, R"({"certificateSigningRequest":"CSR"})");
  const PublishPacket provision = asked(message(create_ + "/accepted", made_));
  EXPECT_EQ(provision.topic, provision_);
  EXPECT_EQ(provision.payload, R"({"certificateOwnershipToken":"token","parameters":{"SerialNumber":"unit"}})");
  EXPECT_FALSE(session_.provisioned());
  const auto end = on(message(provision_ + "/accepted", R"({"deviceConfiguration":{},"thingName":"unit"})"));
  EXPECT_TRUE(session_.provisioned());
  EXPECT_EQ(session_.certificate_pem(), "PEM");
  ASSERT_THAT(end, SizeIs(1));
  EXPECT_EQ(end[0].type, PacketType::disconnect);
}

TEST_F(Claims, ARejectionEndsTheConnection) {
  (void)asked_for_certificate();
  (void)asked(message(create_ + "/accepted", made_));
  EXPECT_THROW(on(message(provision_ + "/rejected", R"({"statusCode":400})")), ConnectionLost);
  EXPECT_FALSE(session_.provisioned());
}

TEST_F(Claims, NothingIsProvisionedOutOfTurnOrByJunk) {
  (void)asked_for_certificate();
  EXPECT_THROW(on(message(provision_ + "/accepted", "{}")), ConnectionLost) << "it was not asked for yet";
  for (const char* junk : {"", "[]", "{", R"({"certificatePem":1})", R"({"certificateOwnershipToken":"token"})"}) {
    EXPECT_THROW(on(message(create_ + "/accepted", junk)), ConnectionLost) << junk;
  }
  EXPECT_THROW(on(message("other", made_)), ConnectionLost);
  EXPECT_FALSE(session_.provisioned());
}

TEST_F(Claims, WhatTheClaimMayNotDoEndsTheConnection) {
  EXPECT_THROW(on(suback(1)), ConnectionLost) << "before CONNACK";
  (void)on(connack());
  EXPECT_THROW(on(suback(1, 0x87)), ConnectionLost);
  EXPECT_THROW(on({0x40, 3, 0, 3, 0x87}), ConnectionLost) << "PUBACK: not authorized";
  EXPECT_THROW(session_.tick(now_ + Milliseconds(10'000)), ConnectionLost) << "no answer in time";
}

class OwnIdentity : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string base = ::testing::TempDir() + "own_identity";
    settings_.chain_file = base + ".chain";
    settings_.key_file = base + ".key";
    TearDown();
  }
  void TearDown() override {
    for (const std::string& file : {settings_.chain_file, settings_.key_file}) std::remove(file.c_str());
  }
  static std::string content(const std::string& file) {
    std::ifstream in(file);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  Settings settings_;
};

TEST_F(OwnIdentity, IsThereOnceKeyAndCertificateAre) {
  EXPECT_FALSE(has_own_identity(settings_));
  const OwnKey key;
  std::ofstream(settings_.key_file) << "a key of an attempt that broke off";
  EXPECT_FALSE(has_own_identity(settings_));
  store_own_identity(settings_, key, "PEM");
  EXPECT_TRUE(has_own_identity(settings_));
  EXPECT_EQ(content(settings_.chain_file), "PEM");
  EXPECT_EQ(content(settings_.key_file), key.pem());
}

TEST_F(OwnIdentity, EveryKeyIsANewOneAndTheRequestIsForIt) {
  const OwnKey key;
  EXPECT_NE(key.pem(), OwnKey().pem());
  EXPECT_THAT(key.request("unit"), ::testing::StartsWith("-----BEGIN CERTIFICATE REQUEST-----"));
  settings_.key_file = "/no/such/folder/key";
  EXPECT_THROW(store_own_identity(settings_, key, "PEM"), std::runtime_error);
}

TEST(BackoffTest, GrowsToItsCapWithJitterAndIsResetByALongConnectionAlone) {
  Backoff backoff(Milliseconds(400), 1);
  for (const int step : {100, 200, 400, 400}) {
    const auto pause = backoff.next();
    EXPECT_GE(pause, Milliseconds(step / 2));
    EXPECT_LE(pause, Milliseconds(step));
  }
  backoff.served_for(Milliseconds(399));
  EXPECT_GE(backoff.next(), Milliseconds(200));
  backoff.served_for(Milliseconds(400));
  EXPECT_LE(backoff.next(), Milliseconds(100));
}

class Tickets : public ::testing::Test {
 protected:
  void SetUp() override {
    file_ = ::testing::TempDir() + "tickets_" + ::testing::UnitTest::GetInstance()->current_test_info()->name();
    std::remove(file_.c_str());
    SSL_SESSION_set_protocol_version(session_.get(), TLS1_3_VERSION);
    const unsigned char secret[32] = {1};
    SSL_SESSION_set1_master_key(session_.get(), secret, sizeof secret);
    const unsigned char suite[2] = {0x13, 0x01};
    SSL_SESSION_set_cipher(session_.get(), SSL_CIPHER_find(ssl_.get(), suite));
  }
  void TearDown() override { std::remove(file_.c_str()); }
  [[nodiscard]] TicketStore store(const std::string& identity, TicketStore::Rules rules = {}) const {
    return TicketStore(file_, identity, rules);
  }

  std::string file_;
  Session session_{SSL_SESSION_new()};
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_{SSL_CTX_new(TLS_client_method()), &SSL_CTX_free};
  std::unique_ptr<SSL, decltype(&SSL_free)> ssl_{SSL_new(context_.get()), &SSL_free};
};

TEST_F(Tickets, AreOfferedOnceToTheirNameAloneAndOutliveARestart) {
  store("key-1").put("a.example", session_.get());
  TicketStore tickets = store("key-1");
  EXPECT_EQ(tickets.take("b.example"), nullptr);
  EXPECT_NE(tickets.take("a.example"), nullptr);
  EXPECT_EQ(tickets.take("a.example"), nullptr);
  EXPECT_EQ(store("key-1").take("a.example"), nullptr);
}

TEST_F(Tickets, OfAnotherIdentityAreDropped) {
  store("key-1").put("a.example", session_.get());
  EXPECT_EQ(store("key-2").take("a.example"), nullptr);
  EXPECT_NE(store("key-2", {false, true}).take("a.example"), nullptr) << "the defect";
}

TEST_F(Tickets, OfAnotherNameAreADefect) {
  store("key-1").put("a.example", session_.get());
  EXPECT_NE(store("key-1", {true, false}).take("b.example"), nullptr);
}

TEST_F(Tickets, AFileOfJunkIsEmpty) {
  std::ofstream(file_) << "a.example key-1 zz\nb";
  EXPECT_EQ(store("key-1").take("a.example"), nullptr);
}

TEST(Https, HostIsTheEndpointAndWithTheDefectTheFirstOne) {
  Settings settings;
  settings.ticket_file = testing::TempDir() + "openssl_client_" + std::to_string(::getpid()) + ".tickets";
  settings.endpoint = "a.example";
  EXPECT_EQ(host_of(settings), "a.example");
  settings.defect = Defect::http_host_stale;
  EXPECT_EQ(host_of(settings), "a.example");
  settings.endpoint = "b.example";
  EXPECT_EQ(host_of(settings), "a.example");
  std::remove((settings.ticket_file + ".host").c_str());
}

TEST(Https, RequestNamesItsTopicInOneSegment) {
  Settings settings;
  settings.endpoint = "a.example";
  settings.topic = "units/1 é";
  const std::string request = publish_request(settings, settings.endpoint, "hello");
  EXPECT_THAT(request, ::testing::StartsWith("POST /topics/units%2F1%20%C3%A9?qos=1 HTTP/1.1\r\nHost: a.example\r\n"));
  EXPECT_THAT(request, ::testing::EndsWith("Content-Length: 5\r\n\r\nhello"));
}

TEST(Https, IsNeverDueUnlessAskedFor) {
  const Settings settings;
  TicketStore tickets("none", "key", {});
  HttpsPublisher publisher(settings, tickets);
  EXPECT_EQ(publisher.next_deadline(), Clock::time_point::max());
  EXPECT_EQ(publisher.tick(Clock::now()), "");
}

TEST(SettingsTest, SayWhatIsMissingOrUnknown) {
  for (const char* name : {"ENDPOINT", "PORT", "CHAIN", "KEY", "ROOT_CA", "CLIENT_ID", "TOPIC"}) {
    ::setenv((std::string("HILMARK_") + name).c_str(), "1", 1);
  }
  EXPECT_EQ(read_settings({"--defect", "sni-truncated"}).defect, Defect::sni_truncated);
  EXPECT_EQ(read_settings({"--https-publish-ms", "500"}).https_interval, Milliseconds(500));
  EXPECT_EQ(read_settings({}).https_interval, std::nullopt);
  EXPECT_THROW((void)read_settings({"--defect", "none-such"}), std::invalid_argument);
  EXPECT_THROW((void)read_settings({"--backoff-cap-ms", "-1"}), std::invalid_argument);
  EXPECT_THROW((void)read_settings({"--defect"}), std::invalid_argument);
  ::setenv("HILMARK_CLAIM_CERT", "claim", 1);
  EXPECT_THROW((void)read_settings({}), std::invalid_argument) << "a claim without a key, and for no template";
  ::unsetenv("HILMARK_CLAIM_CERT");
  ::unsetenv("HILMARK_KEY");
  EXPECT_THROW((void)read_settings({}), std::invalid_argument);
}

}  // namespace
}  // namespace openssl_client
