// The device's MQTT 5 session without I/O: octets in, octets out, and what it must remember from one connection to the
// next (messages that were not acknowledged). Publishes a counter at a steady rate, and is subscribed to its commands.
#pragma once

#include <deque>

#include "boards/process/openssl_client/mqtt_codec.h"
#include "boards/process/openssl_client/settings.h"

namespace openssl_client {

class MqttSession {
 public:
  static constexpr std::uint32_t own_maximum_packet_size = 64U << 10U;
  explicit MqttSession(const Settings& settings);

  /// A new connection stands: CONNECT goes out.
  void begin(Clock::time_point now);
  /// Throws ConnectionLost where the server breaks the standard, refuses, or ends the session.
  void receive(const Bytes& octets, Clock::time_point now);
  /// Publishes and pings what is due; throws ConnectionLost where an answer is overdue.
  void tick(Clock::time_point now);
  [[nodiscard]] Bytes take_output();
  [[nodiscard]] Clock::time_point next_deadline() const;
  [[nodiscard]] bool served() const { return served_; }
  [[nodiscard]] std::size_t unacknowledged() const { return messages_.size(); }

 private:
  struct Message {
    std::uint16_t packet_id = 0;
    std::string payload;
    bool sent = false;       ///< on this connection
    bool duplicate = false;  ///< sent on one before, in the session that goes on
  };
  void send(const Bytes& octets, Clock::time_point now);
  void handle(const Packet& packet, Clock::time_point now);
  void on_connack(const ConnackPacket& connack, Clock::time_point now);
  void on_publish(const PublishPacket& publish, Clock::time_point now);
  void on_puback(const AnswerPacket& answer);
  void on_suback(const AnswerPacket& answer);
  void send_messages(Clock::time_point now);
  [[nodiscard]] std::uint16_t new_packet_id();

  const Settings& settings_;
  std::string commands_;
  // What outlives a connection.
  std::deque<Message> messages_;
  std::uint64_t counter_ = 0;
  std::uint16_t last_packet_id_ = 0;
  bool first_connection_ = true;
  // Of this connection.
  bool served_ = false;
  Bytes incoming_;
  Bytes outgoing_;
  Milliseconds keep_alive_{0};
  std::size_t window_ = 0;  ///< the server's Receive Maximum, or our own bound
  std::size_t maximum_packet_size_ = 0;
  std::uint16_t subscribe_id_ = 0;  ///< 0: acknowledged
  Clock::time_point last_sent_;
  Clock::time_point next_publish_;
  std::optional<Clock::time_point> answer_due_;  ///< of CONNECT, then of SUBSCRIBE
  std::optional<Clock::time_point> pong_due_;
};

}  // namespace openssl_client
