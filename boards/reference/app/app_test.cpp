// The whole application on a port in memory: commands, connection and session by a clock that the test moves.
#include "app/app.h"

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/bytes.h"
#include "tests/fake_port.h"

namespace {

using namespace std::string_literals;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

std::vector<std::uint8_t> rom(const std::string& defect) {
  std::vector<std::uint8_t> image(IMAGE_HEADER_BYTES + 8 + IMAGE_TRAILER_BYTES);
  std::memcpy(image.data(), IMAGE_MAGIC, sizeof IMAGE_MAGIC);
  put_u32(image.data() + 8, IMAGE_HEADER_BYTES);
  put_u32(image.data() + 12, 8);
  std::memset(image.data() + IMAGE_BUILD_ID_AT, 'b', IMAGE_BUILD_ID_BYTES);
  std::uint8_t* trailer = image.data() + IMAGE_HEADER_BYTES + 8;
  std::memcpy(trailer, IMAGE_TRAILER_MAGIC, sizeof IMAGE_TRAILER_MAGIC);
  std::copy(defect.begin(), defect.end(), trailer + IMAGE_DEFECT_AT);
  return image;
}

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) out += c == '\n' ? "\\A"s : std::string(1, c);
  return out;
}

class App : public testing::Test {
 protected:
  App() {
    fake_now_ms = 1000000;
    boot("golden");
  }

  void boot(const std::string& defect) {
    system_.rom = rom(defect);
    console_.output.clear();
    const app_ports ports = {&system_, &console_, &storage_, &net_, &tls_};
    app_init(app_.get(), &ports);
    turn();
  }

  void turn(std::uint64_t passed_ms = 0) {
    fake_now_ms += passed_ms;
    app_run_once(app_.get());
    app_run_once(app_.get());
  }

  // All that was said since, line by line.
  std::vector<std::string> said() {
    std::vector<std::string> lines;
    for (std::size_t end; (end = console_.output.find('\n')) != std::string::npos;) {
      lines.push_back(console_.output.substr(0, end));
      console_.output.erase(0, end + 1);
    }
    return lines;
  }

  std::vector<std::string> ask(const std::string& line) {
    console_.input += line + "\n";
    turn();
    return said();
  }

  void set(const std::string& line) { ASSERT_THAT(ask("AT+" + line), Contains("OK")) << line; }

  void provision() {
    char pem[4096];
    set("XKEYGEN");
    ASSERT_TRUE(port_crypto_make_self_signed(app_->settings.pending_key, "unit", pem, sizeof pem));
    for (const std::string& line :
         {"CONF Certificate=" + escaped(pem), "CONF RootCA=" + escaped(pem), "CONF Topic1=t"s, "CONF ThingName=unit"s,
          "XCONF ConnectAddress=10.0.0.1"s, "XCONF BackoffBaseMs=1000"s, "XCONF BackoffCapMs=8000"s,
          "XCONF ConnectTimeoutMs=5000"s, "CONF Endpoint=a.example"s}) {
      set(line);
    }
  }

  void serve() {
    provision();
    set("CONNECT");
    tls_.from_server = "\x20\x02\0\0"s;
    turn();
    ASSERT_THAT(said(), ElementsAre("+CONNECTED a.example"));
    tls_.from_client.clear();
  }

  std::unique_ptr<app> app_ = std::make_unique<app>();
  port_system system_;
  port_console console_;
  port_storage storage_;
  port_net net_;
  port_tls tls_;
};

TEST_F(App, SaysWhatItIsAtBoot) {
  EXPECT_THAT(said(), ElementsAre("+BOOT " + std::string(40, 'b')));
  EXPECT_THAT(ask("AT+XDEFECT?"), ElementsAre("OK golden"));
}

TEST_F(App, AnUnknownDefectRunsNothingButTheConsole) {
  boot("no-such");
  EXPECT_THAT(said(), ElementsAre(StartsWith("+BOOT"), "+FATAL unknown defect"));
  EXPECT_THAT(ask("AT+CONNECT"), ElementsAre("ERR92 unknown defect"));
  EXPECT_THAT(ask("AT+XKEYGEN"), ElementsAre("ERR92 unknown defect"));
  EXPECT_THAT(ask("AT+XECHO x"), ElementsAre("OK x"));
  ask("AT+XBOOT");
  EXPECT_TRUE(system_.entered_bootloader);
}

TEST_F(App, SaysOnceWhatIsMissingToConnect) {
  said();
  EXPECT_THAT(ask("AT+CONNECT"), ElementsAre("OK", "+DISCONNECTED Endpoint is not set"));
  turn(1000);
  EXPECT_THAT(said(), ElementsAre());
}

TEST_F(App, ConnectsAndSpeaksMqtt) {
  provision();
  EXPECT_THAT(ask("AT+CONNECT"), ElementsAre("OK", "+CONNECTING a.example"));
  EXPECT_THAT(net_.addresses, ElementsAre(0x0A000001U));
  EXPECT_THAT(tls_.server_names, ElementsAre("a.example"));
  EXPECT_EQ(tls_.from_client, "\x10\x10\0\4MQTT\4\0\0\x3c\0\4unit"s);
  EXPECT_THAT(ask("AT+CONNECT?"), ElementsAre("OK 0 DISCONNECTED"));
  tls_.from_server = "\x20\x02\0\0"s;
  EXPECT_THAT(ask("AT+CONNECT?"), ElementsAre("+CONNECTED a.example", "OK 1 CONNECTED"));
}

TEST_F(App, OffersItsProtocolOnPort443Alone) {
  provision();
  ask("AT+CONNECT");
  set("XCONF Port=443");
  set("XCONF Port=8443");
  EXPECT_THAT(tls_.protocols, ElementsAre("", "x-amzn-mqtt-ca", ""));
}

TEST_F(App, BacksOffAndKeepsTrying) {
  provision();
  net_.reaches = PORT_FAILED;
  EXPECT_THAT(ask("AT+CONNECT"),
              ElementsAre("OK", "+CONNECTING a.example", "+DISCONNECTED connect: refused", StartsWith("+RETRY ")));
  for (const unsigned most_ms : {2000U, 4000U, 8000U, 8000U, 8000U}) {
    while (said().empty()) turn(50);  // the attempt
    const std::uint64_t waits_ms = app_->connection.deadline_ms - fake_now_ms;
    EXPECT_GE(waits_ms, most_ms / 2);
    EXPECT_LE(waits_ms, most_ms);
  }
}

TEST_F(App, AShortConnectionDoesNotResetTheBackoffAndALongOneDoes) {
  serve();
  app_->connection.backoff.failures = 2;
  tls_.server_closed = true;
  turn();
  EXPECT_EQ(app_->connection.backoff.failures, 3U);
  turn(8000);
  tls_.from_server = "\x20\x02\0\0"s;
  turn();
  turn(8000);
  tls_.server_closed = true;
  turn();
  EXPECT_EQ(app_->connection.backoff.failures, 1U);
}

TEST_F(App, GivesUpEachStageInTime) {
  provision();
  net_.reaches = PORT_AGAIN;
  ask("AT+CONNECT");
  turn(5000);
  EXPECT_THAT(said(), ElementsAre("+DISCONNECTED timeout: no TCP connection within 5000 ms", StartsWith("+RETRY")));
  net_.reaches = PORT_OK;
  tls_.shakes_hands = PORT_AGAIN;
  turn(1000);
  turn(5000);
  EXPECT_THAT(said(),
              ElementsAre(StartsWith("+CONNECTING"), HasSubstr("no end of the TLS handshake"), StartsWith("+R")));
  tls_.shakes_hands = PORT_OK;
  turn(2000);
  turn(5000);
  EXPECT_THAT(said(), ElementsAre(StartsWith("+CONNECTING"), HasSubstr("no CONNACK"), StartsWith("+R")));
  set("XCONF ConnectAddress=");
  said();
  turn(5000);
  EXPECT_THAT(said(), ElementsAre(HasSubstr("no answer to the DNS question"), StartsWith("+R")));
}

TEST_F(App, AsksTheNameServerThatItWasGivenAndKeepsTheAnswerForItsTime) {
  provision();
  set("XCONF ConnectAddress=");
  set("XCONF Resolver=10.0.0.53");
  net_.resolves = PORT_OK;
  net_.answer = {.ipv4 = 0x0A000007, .ttl_s = 3, .canonical_name = "other.example"};
  net_.reaches = PORT_FAILED;
  ask("AT+CONNECT");
  turn();
  EXPECT_EQ(net_.server_ipv4, 0x0A000035U);
  EXPECT_THAT(net_.questions, ElementsAre("a.example"));
  EXPECT_THAT(net_.addresses, Contains(0x0A000007U));
  turn(2000);
  EXPECT_EQ(net_.questions.size(), 1U);
  EXPECT_EQ(net_.addresses.size(), 2U);
  turn(4000);
  EXPECT_EQ(net_.questions.size(), 2U);
  net_.reaches = PORT_OK;
  turn(8000);
  EXPECT_EQ(tls_.server_names.back(), "a.example") << "the name that it was given, not the canonical one";
}

TEST_F(App, PingsBeforeTheKeepAliveIsOverAndHearsSilence) {
  serve();
  turn(44999);
  EXPECT_EQ(tls_.from_client, "");
  turn(1);
  EXPECT_EQ(tls_.from_client, "\xc0\0"s);
  tls_.from_server = "\xd0\0"s;
  turn(45000);
  EXPECT_EQ(tls_.from_client, "\xc0\0\xc0\0"s);
  turn(5000);
  EXPECT_THAT(said(), ElementsAre("+DISCONNECTED MQTT: no PINGRESP", StartsWith("+RETRY")));
}

TEST_F(App, AMessageIsAnsweredOnceItIsAcknowledged) {
  serve();
  EXPECT_THAT(ask("AT+SEND1 hi"), ElementsAre());
  EXPECT_EQ(tls_.from_client, "\x32\x07\0\1t\0\1hi"s);
  EXPECT_THAT(ask("AT"), ElementsAre());  // behind it
  tls_.from_server = "\x40\2\0\1"s;
  turn();
  turn();
  EXPECT_THAT(said(), ElementsAre("OK", "OK"));
}

TEST_F(App, AMessageIsSentAgainAsADuplicateToASessionThatWasKept) {
  serve();
  ask("AT+SEND1 hi");
  tls_.server_closed = true;
  turn();
  EXPECT_THAT(said(), ElementsAre(StartsWith("+DISCONNECTED"), StartsWith("+RETRY"), StartsWith("ERR6 ")));
  turn(1000);
  tls_.from_server = "\x20\x02\1\0"s;
  tls_.from_client.clear();
  turn();
  EXPECT_EQ(tls_.from_client, "\x3a\x07\0\1t\0\1hi"s);
  tls_.from_server = "\x40\2\0\1"s;
  turn();
  tls_.from_client.clear();
  ask("AT+SEND1 ho");
  EXPECT_EQ(tls_.from_client, "\x32\x07\0\1t\0\2ho"s);
}

TEST_F(App, AMessageThatNobodyAcknowledgesIsAnsweredInTime) {
  serve();
  ask("AT+SEND1 hi");
  turn(5000);
  EXPECT_THAT(said(), ElementsAre(StartsWith("ERR7 TIMEOUT")));
  EXPECT_THAT(ask("AT+SEND1 ho"), ElementsAre(StartsWith("ERR7 TIMEOUT an earlier")));
}

TEST_F(App, AMoveTakesLeaveAndDropsWhatWasForTheOldEndpoint) {
  serve();
  ask("AT+SEND1 hi");
  turn(5000);
  said();
  tls_.from_client.clear();
  console_.input = "AT+CONF Endpoint=b.example\n";
  app_run_once(app_.get());
  EXPECT_THAT(said(), ElementsAre("OK", "+DISCONNECTED the endpoint changed", "+CONNECTING b.example"));
  EXPECT_TRUE(net_.open);
  EXPECT_EQ(tls_.server_names.back(), "b.example");
  tls_.from_server = "\x20\x02\0\0"s;
  turn();
  EXPECT_THAT(tls_.from_client, testing::Not(HasSubstr("hi")));
  tls_.from_client.clear();
  ask("AT+DISCONNECT");
  EXPECT_EQ(tls_.from_client, "\xe0\0"s);
  EXPECT_TRUE(tls_.said_close_notify);
  EXPECT_FALSE(net_.open);
}

TEST_F(App, TheSameEndpointAgainIsNoMove) {
  serve();
  const std::size_t changes = storage_.changes;
  EXPECT_THAT(ask("AT+CONF Endpoint=a.example"), ElementsAre("OK"));
  EXPECT_EQ(storage_.changes, changes);
  EXPECT_THAT(ask("AT+CONNECT?"), ElementsAre("OK 1 CONNECTED"));
}

class BadServer : public App, public testing::WithParamInterface<std::string> {};

TEST_P(BadServer, IsLeft) {
  provision();
  ask("AT+CONNECT");
  tls_.from_server = GetParam();
  turn();
  EXPECT_THAT(said(), testing::Contains(testing::MatchesRegex("\\+DISCONNECTED (MQTT|CONNACK).*")));
  EXPECT_FALSE(net_.open);
}

INSTANTIATE_TEST_SUITE_P(Protocol, BadServer,
                         testing::Values("\x40\2\0\1"s, "\x20\2\0\0\x20\2\0\0"s, "\x20\3\0\0\0"s, "\x20\2\0\5"s,
                                         "\x20\2\0\0\xf0\0"s, "\x30\xff\xff\xff\xff\1"s, "\x20\2\0\0\x32\1\0"s),
                         [](const auto& tested) { return "Case" + std::to_string(tested.index); });

TEST_F(App, NothingIsChangedWhenTheFlashFails) {
  provision();
  storage_.cut_at = storage_.changes;
  EXPECT_THAT(ask("AT+CONF Endpoint=b.example"), ElementsAre(StartsWith("ERR90 STORAGE")));
  EXPECT_THAT(ask("AT+CONF? Endpoint"), ElementsAre("OK a.example"));
}

TEST_F(App, NoKeyIsEverSaid) {
  provision();
  std::string all;
  for (const std::string& line : {"AT+XCSR?"s, "AT+CONF? Certificate"s, "AT+XKEYGEN"s, "AT+CONF? key"s}) {
    for (const std::string& answer : ask(line)) all += answer;
  }
  EXPECT_THAT(all, testing::Not(HasSubstr("PRIVATE")));
}

}  // namespace
