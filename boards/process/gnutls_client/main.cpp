// A device on GnuTLS: MQTT 3.1.1, one message at a time. README.md in the folder above says how it is used.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <stdexcept>

#include <poll.h>

#include "boards/process/gnutls_client/mqtt311.h"
#include "boards/process/gnutls_client/tls.h"

namespace gnutls_client {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr std::uint16_t keep_alive_s = 30;
constexpr milliseconds answer_limit{10'000};
constexpr milliseconds publish_interval{500};
constexpr milliseconds first_pause{100};
constexpr milliseconds longest_pause{1000};

std::string required(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr || *value == '\0') throw std::invalid_argument(std::string(name) + " is not set");
  return value;
}

void say(const std::string& text) {
  std::printf("%s\n", text.c_str());
  std::fflush(stdout);
}

class Device {
 public:
  explicit Device(int qos) : qos_(qos) {}

  /// Never gives up.
  [[noreturn]] void run() {
    while (true) {
      const auto started = Clock::now();
      try {
        connection();
      } catch (const std::runtime_error& lost) {
        say(std::string("lost: ") + lost.what());
      }
      // One that was dropped soon is met with a longer pause; half of it is jitter.
      if (Clock::now() - started >= longest_pause) pause_ = first_pause;
      const auto pause = std::uniform_int_distribution<int>(static_cast<int>(pause_.count()) / 2,
                                                            static_cast<int>(pause_.count()))(random_);
      ::poll(nullptr, 0, pause);
      pause_ = std::min(pause_ * 2, longest_pause);
    }
  }

 private:
  void connection() {
    Tls tls(identity_, endpoint_, port_);
    say("connected to " + endpoint_ + " by " + tls.description());
    tls.send(connect_packet(client_id_, first_, keep_alive_s));
    std::string buffered;
    const Packet answer = next_packet(tls, buffered);
    if (answer.type != connack || answer.number_at(0) > 0x0100 || (answer.number_at(0) & 0xffU) != 0) {
      throw std::runtime_error("no CONNACK that accepts the connection");
    }
    first_ = false;
    say("served");
    // In a session that goes on, what was not acknowledged is sent again as what it is.
    message_.duplicate = message_.duplicate && answer.number_at(0) == 0x0100;
    while (true) publish_one(tls, buffered);
  }

  static Packet next_packet(Tls& tls, std::string& buffered) {
    const auto deadline = Clock::now() + answer_limit;
    while (Clock::now() < deadline) {
      if (auto packet = take_packet(buffered)) return *packet;
      const auto left = std::chrono::ceil<milliseconds>(deadline - Clock::now());
      buffered += tls.receive(static_cast<unsigned>(std::max<milliseconds::rep>(1, left.count())));
    }
    throw std::runtime_error("no answer in time");
  }

  void publish_one(Tls& tls, std::string& buffered) {
    if (message_.payload.empty()) {
      message_ = {topic_, "{\"counter\":" + std::to_string(++counter_) + "}", qos_, false, ++packet_id_};
      if (message_.packet_id == 0) message_.packet_id = packet_id_ = 1;
    }
    tls.send(publish_packet(message_));
    message_.duplicate = true;
    if (qos_ > 0) {
      const Packet answer = next_packet(tls, buffered);
      if (answer.type != puback || answer.number_at(0) != message_.packet_id) throw std::runtime_error("no PUBACK");
    }
    message_.payload.clear();
    // QoS 0 is answered by nobody: a ping now and then proves that somebody listens.
    if (qos_ == 0 && counter_ % (keep_alive_s) == 0) {
      tls.send(pingreq_packet());
      if (next_packet(tls, buffered).type != pingresp) throw std::runtime_error("no PINGRESP");
    }
    buffered += tls.receive(static_cast<unsigned>(publish_interval.count()));
  }

  const Identity identity_{required("HILMARK_CHAIN"), required("HILMARK_KEY"), required("HILMARK_ROOT_CA")};
  const std::string endpoint_ = required("HILMARK_ENDPOINT");
  const std::string port_ = required("HILMARK_PORT");
  const std::string client_id_ = required("HILMARK_CLIENT_ID");
  const std::string topic_ = required("HILMARK_TOPIC");
  const int qos_;
  bool first_ = true;  // a restarted program knows nothing of its session
  Publication message_;
  std::uint64_t counter_ = 0;
  std::uint16_t packet_id_ = 0;
  milliseconds pause_ = first_pause;
  std::mt19937 random_{std::random_device()()};
};

}  // namespace
}  // namespace gnutls_client

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  try {
    const bool qos0 = argc == 3 && std::string(argv[1]) == "--qos" && std::string(argv[2]) == "0";
    if (argc != 1 && !qos0) throw std::invalid_argument("the only option is --qos 0");
    gnutls_client::Device(qos0 ? 0 : 1).run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "gnutls_client: %s\n", error.what());
  }
  return 2;
}
