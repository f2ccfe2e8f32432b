#include "boards/process/openssl_client/mqtt_session.h"

#include <algorithm>

namespace openssl_client {
namespace {

constexpr Milliseconds answer_limit{10'000};
constexpr std::size_t most_unacknowledged = 16;
constexpr std::uint32_t session_expiry_s = 3600;
constexpr std::uint8_t first_failure = 0x80;

std::string in_hex(std::uint8_t reason) {
  constexpr char digits[] = "0123456789abcdef";
  return {'0', 'x', digits[reason >> 4U], digits[reason & 15U]};
}

}  // namespace

MqttSession::MqttSession(const Settings& settings) : settings_(settings), commands_(settings.topic + "/commands") {}

void MqttSession::send(const Bytes& octets, Clock::time_point now) {
  outgoing_.insert(outgoing_.end(), octets.begin(), octets.end());
  last_sent_ = now;
}

Bytes MqttSession::take_output() { return std::exchange(outgoing_, {}); }

void MqttSession::begin(Clock::time_point now) {
  served_ = false;
  incoming_.clear();
  outgoing_.clear();
  keep_alive_ = std::chrono::seconds(settings_.keep_alive_s);
  pong_due_.reset();
  for (Message& message : messages_) message.sent = false;
  ConnectPacket connect;
  connect.client_id = settings_.client_id;
  // A program that was restarted remembers nothing of its session, so that the server must not either.
  connect.clean_start = first_connection_;
  connect.keep_alive_s = static_cast<std::uint16_t>(settings_.keep_alive_s);
  connect.session_expiry_s = session_expiry_s;
  connect.maximum_packet_size = own_maximum_packet_size;
  send(encode(connect), now);
  answer_due_ = now + answer_limit;
}

void MqttSession::receive(const Bytes& octets, Clock::time_point now) {
  incoming_.insert(incoming_.end(), octets.begin(), octets.end());
  while (const auto packet = take_packet(incoming_, own_maximum_packet_size)) handle(*packet, now);
}

void MqttSession::handle(const Packet& packet, Clock::time_point now) {
  if (!served_ && packet.type != PacketType::connack) throw ConnectionLost("a packet before CONNACK");
  switch (packet.type) {
    case PacketType::connack:
      return on_connack(decode_connack(packet), now);
    case PacketType::publish:
      return on_publish(decode_publish(packet), now);
    case PacketType::puback:
      on_puback(decode_puback(packet));
      return send_messages(now);
    case PacketType::suback:
      return on_suback(decode_suback(packet));
    case PacketType::pingresp:
      if (packet.flags != 0 || !packet.body.empty()) throw ConnectionLost("malformed PINGRESP");
      pong_due_.reset();
      return;
    case PacketType::disconnect:
      throw ConnectionLost("the server said DISCONNECT " + in_hex(decode_disconnect(packet)));
    default:
      throw ConnectionLost("a packet that no server sends, type " + std::to_string(static_cast<int>(packet.type)));
  }
}

void MqttSession::on_connack(const ConnackPacket& connack, Clock::time_point now) {
  if (served_) throw ConnectionLost("a second CONNACK");
  if (connack.reason != 0) throw ConnectionLost("refused by CONNACK " + in_hex(connack.reason));
  if (connack.session_present && first_connection_) throw ConnectionLost("session present after Clean Start");
  served_ = true;
  first_connection_ = false;
  if (connack.server_keep_alive_s) keep_alive_ = std::chrono::seconds(*connack.server_keep_alive_s);
  window_ = std::min<std::size_t>(connack.receive_maximum, most_unacknowledged);
  maximum_packet_size_ = connack.maximum_packet_size;
  // In a new session nothing was sent before ([MQTT-4.4.0-1] speaks of one that goes on).
  if (!connack.session_present) {
    for (Message& message : messages_) message.duplicate = false;
  }
  subscribe_id_ = new_packet_id();
  send(encode_subscribe(subscribe_id_, commands_), now);
  answer_due_ = now + answer_limit;
  next_publish_ = now;
  send_messages(now);
}

void MqttSession::on_publish(const PublishPacket& publish, Clock::time_point now) {
  if (publish.qos == 1) send(encode_puback(publish.packet_id), now);
}

void MqttSession::on_puback(const AnswerPacket& answer) {
  const auto acknowledged = std::find_if(messages_.begin(), messages_.end(), [&](const Message& message) {
    return message.sent && message.packet_id == answer.packet_id;
  });
  if (acknowledged != messages_.end()) messages_.erase(acknowledged);
}

void MqttSession::on_suback(const AnswerPacket& answer) {
  if (answer.packet_id != subscribe_id_) throw ConnectionLost("a SUBACK for no SUBSCRIBE");
  if (answer.reason >= first_failure) throw ConnectionLost("the subscription failed with " + in_hex(answer.reason));
  subscribe_id_ = 0;
  answer_due_.reset();
}

std::uint16_t MqttSession::new_packet_id() {
  const auto in_use = [this](std::uint16_t id) {
    return id == 0 || id == subscribe_id_ ||
           std::any_of(messages_.begin(), messages_.end(), [id](const Message& each) { return each.packet_id == id; });
  };
  do {
    ++last_packet_id_;
  } while (in_use(last_packet_id_));
  return last_packet_id_;
}

void MqttSession::send_messages(Clock::time_point now) {
  auto open = static_cast<std::size_t>(
      std::count_if(messages_.begin(), messages_.end(), [](const Message& each) { return each.sent; }));
  for (Message& message : messages_) {
    if (open >= window_) return;
    if (message.sent) continue;
    const Bytes octets =
        encode(PublishPacket{settings_.topic, message.payload, 1, message.duplicate, message.packet_id});
    if (octets.size() > maximum_packet_size_) return;
    send(octets, now);
    message.sent = true;
    message.duplicate = true;
    ++open;
  }
}

void MqttSession::tick(Clock::time_point now) {
  if (answer_due_ && now >= *answer_due_) throw ConnectionLost(served_ ? "no SUBACK in time" : "no CONNACK in time");
  if (pong_due_ && now >= *pong_due_) throw ConnectionLost("no PINGRESP in time");
  if (!served_) return;
  if (now >= next_publish_) {
    next_publish_ = now + settings_.publish_interval;
    // A number is given to what can be sent now, so that none is missing from what was sent.
    if (messages_.size() < window_) {
      messages_.push_back({new_packet_id(), "{\"counter\":" + std::to_string(++counter_) + "}", false, false});
    }
    send_messages(now);
  }
  if (keep_alive_ > Milliseconds(0) && !pong_due_ && now >= last_sent_ + keep_alive_ * 3 / 4) {
    send(encode_pingreq(), now);
    pong_due_ = now + std::max<Milliseconds>(keep_alive_ / 2, Milliseconds(1000));
  }
}

Clock::time_point MqttSession::next_deadline() const {
  Clock::time_point next = Clock::time_point::max();
  if (answer_due_) next = std::min(next, *answer_due_);
  if (pong_due_) next = std::min(next, *pong_due_);
  if (!served_) return next;
  if (keep_alive_ > Milliseconds(0) && !pong_due_) next = std::min(next, last_sent_ + keep_alive_ * 3 / 4);
  return std::min(next, next_publish_);
}

}  // namespace openssl_client
