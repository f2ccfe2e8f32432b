#include "boards/process/openssl_client/mqtt_codec.h"

#include <algorithm>

namespace openssl_client {
namespace {

constexpr std::size_t max_length_octets = 4;  // section 1.5.5

enum Property : std::uint8_t {
  session_expiry_interval = 0x11,
  server_keep_alive = 0x13,
  receive_maximum = 0x21,
  maximum_packet_size = 0x27,
};

/// How a property's value is written (section 2.2.2.2).
enum class Form { octet, two_octets, four_octets, variable, text, text_pair, unknown };

Form form_of(std::uint8_t property) {
  constexpr std::uint8_t octets[] = {0x01, 0x17, 0x19, 0x24, 0x25, 0x28, 0x29, 0x2a};
  constexpr std::uint8_t twos[] = {server_keep_alive, receive_maximum, 0x22, 0x23};
  constexpr std::uint8_t fours[] = {0x02, session_expiry_interval, 0x18, maximum_packet_size};
  constexpr std::uint8_t texts[] = {0x03, 0x08, 0x09, 0x12, 0x15, 0x16, 0x1a, 0x1c, 0x1f};
  const auto in = [property](const auto& list) {
    return std::find(std::begin(list), std::end(list), property) != std::end(list);
  };
  if (in(octets)) return Form::octet;
  if (in(twos)) return Form::two_octets;
  if (in(fours)) return Form::four_octets;
  if (in(texts)) return Form::text;
  if (property == 0x0b) return Form::variable;
  return property == 0x26 ? Form::text_pair : Form::unknown;
}

class Writer {
 public:
  Writer& number(std::uint32_t value, int octets) {
    for (int shift = 8 * (octets - 1); shift >= 0; shift -= 8)
      out_.push_back(static_cast<std::uint8_t>(value >> shift));
    return *this;
  }
  Writer& text(std::string_view value) {
    number(static_cast<std::uint32_t>(value.size()), 2);
    return raw(value);
  }
  Writer& raw(std::string_view value) {
    out_.insert(out_.end(), value.begin(), value.end());
    return *this;
  }
  /// The packet with its fixed header.
  [[nodiscard]] Bytes packet(PacketType type, unsigned flags) const {
    Bytes whole = {static_cast<std::uint8_t>(static_cast<unsigned>(type) << 4U | flags)};
    std::size_t length = out_.size();
    do {
      whole.push_back(static_cast<std::uint8_t>((length & 0x7fU) | (length > 0x7f ? 0x80U : 0U)));
      length >>= 7U;
    } while (length > 0);
    whole.insert(whole.end(), out_.begin(), out_.end());
    return whole;
  }

 private:
  Bytes out_;
};

class Reader {
 public:
  explicit Reader(const Bytes& octets) : octets_(octets) {}
  [[nodiscard]] std::size_t left() const { return octets_.size() - at_; }

  std::uint32_t number(int octets) {
    std::uint32_t value = 0;
    for (int i = 0; i < octets; ++i) value = value << 8U | next();
    return value;
  }
  std::uint32_t variable() {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < max_length_octets; ++i) {
      const std::uint8_t octet = next();
      value |= (octet & 0x7fU) << (7 * i);
      if ((octet & 0x80U) == 0) return value;
    }
    throw ConnectionLost("malformed packet: a variable integer of more than 4 octets");
  }
  std::string text() { return raw(number(2)); }
  std::string raw(std::size_t size) {
    if (size > left()) throw ConnectionLost("malformed packet: cut short");
    at_ += size;
    return {octets_.begin() + static_cast<std::ptrdiff_t>(at_ - size),
            octets_.begin() + static_cast<std::ptrdiff_t>(at_)};
  }
  /// Calls `take(property, value)` for each whose value is a number; the others are passed over.
  template <class Take>
  void properties(const Take& take) {
    const std::size_t size = variable();
    if (size > left()) throw ConnectionLost("malformed packet: properties cut short");
    const std::size_t end_left = left() - size;
    while (left() > end_left) {
      const auto property = static_cast<std::uint8_t>(number(1));
      switch (form_of(property)) {
        case Form::octet:
          take(property, number(1));
          break;
        case Form::two_octets:
          take(property, number(2));
          break;
        case Form::four_octets:
          take(property, number(4));
          break;
        case Form::variable:
          take(property, variable());
          break;
        case Form::text_pair:
          (void)text();
          [[fallthrough]];
        case Form::text:
          (void)text();
          break;
        case Form::unknown:
          throw ConnectionLost("malformed packet: an unknown property");
      }
    }
    if (left() != end_left) throw ConnectionLost("malformed packet: a property exceeds its list");
  }

 private:
  std::uint8_t next() {
    if (left() == 0) throw ConnectionLost("malformed packet: cut short");
    return octets_[at_++];
  }
  const Bytes& octets_;
  std::size_t at_ = 0;
};

const auto ignore = [](std::uint8_t, std::uint32_t) {};

void check_flags(const Packet& packet) {
  if (packet.flags != 0) throw ConnectionLost("malformed packet: reserved flags are set");
}

}  // namespace

Bytes encode(const ConnectPacket& connect) {
  constexpr std::uint32_t properties_octets = 5 + 5;
  Writer body;
  body.text("MQTT").number(5, 1).number(connect.clean_start ? 2 : 0, 1).number(connect.keep_alive_s, 2);
  body.number(properties_octets, 1);
  body.number(session_expiry_interval, 1).number(connect.session_expiry_s, 4);
  body.number(maximum_packet_size, 1).number(connect.maximum_packet_size, 4);
  return body.text(connect.client_id).packet(PacketType::connect, 0);
}

Bytes encode(const PublishPacket& publish) {
  Writer body;
  body.text(publish.topic);
  if (publish.qos > 0) body.number(publish.packet_id, 2);
  body.number(0, 1).raw(publish.payload);
  const unsigned flags = (publish.duplicate ? 8U : 0U) | static_cast<unsigned>(publish.qos) << 1U;
  return body.packet(PacketType::publish, flags);
}

Bytes encode_subscribe(std::uint16_t packet_id, const std::string& filter) {
  return Writer().number(packet_id, 2).number(0, 1).text(filter).number(1, 1).packet(PacketType::subscribe, 2);
}
Bytes encode_puback(std::uint16_t packet_id) { return Writer().number(packet_id, 2).packet(PacketType::puback, 0); }
Bytes encode_pingreq() { return Writer().packet(PacketType::pingreq, 0); }
Bytes encode_disconnect(std::uint8_t reason) { return Writer().number(reason, 1).packet(PacketType::disconnect, 0); }

std::optional<Packet> take_packet(Bytes& buffered, std::size_t maximum) {
  std::size_t length = 0;
  std::size_t header = 1;
  for (;; ++header) {
    if (header > max_length_octets) throw ConnectionLost("malformed packet: a length of more than 4 octets");
    if (buffered.size() <= header) return std::nullopt;
    length |= static_cast<std::size_t>(buffered[header] & 0x7fU) << (7 * (header - 1));
    if ((buffered[header] & 0x80U) == 0) break;
  }
  ++header;
  if (header + length > maximum) throw ConnectionLost("a packet larger than the maximum that CONNECT declared");
  if (buffered.size() < header + length) return std::nullopt;
  const auto begin = buffered.begin() + static_cast<std::ptrdiff_t>(header);
  const auto end = begin + static_cast<std::ptrdiff_t>(length);
  Packet packet{
      static_cast<PacketType>(buffered[0] >> 4U), static_cast<std::uint8_t>(buffered[0] & 0x0fU), {begin, end}};
  buffered.erase(buffered.begin(), end);
  return packet;
}

ConnackPacket decode_connack(const Packet& packet) {
  check_flags(packet);
  Reader reader(packet.body);
  ConnackPacket connack;
  connack.session_present = (reader.number(1) & 1U) != 0;
  connack.reason = static_cast<std::uint8_t>(reader.number(1));
  reader.properties([&](std::uint8_t property, std::uint32_t value) {
    if (property == server_keep_alive) connack.server_keep_alive_s = static_cast<std::uint16_t>(value);
    if (property == receive_maximum) connack.receive_maximum = static_cast<std::uint16_t>(value);
    if (property == maximum_packet_size) connack.maximum_packet_size = value;
  });
  if (connack.receive_maximum == 0) throw ConnectionLost("malformed CONNACK: Receive Maximum 0");
  return connack;
}

PublishPacket decode_publish(const Packet& packet) {
  Reader reader(packet.body);
  PublishPacket publish;
  publish.qos = packet.flags >> 1U & 3;
  if (publish.qos > 1) throw ConnectionLost("a PUBLISH of a quality of service that was not granted");
  publish.duplicate = (packet.flags & 8U) != 0;
  publish.topic = reader.text();
  if (publish.qos > 0) publish.packet_id = static_cast<std::uint16_t>(reader.number(2));
  if (publish.qos > 0 && publish.packet_id == 0) throw ConnectionLost("malformed PUBLISH: packet identifier 0");
  reader.properties(ignore);
  publish.payload = reader.raw(reader.left());
  return publish;
}

AnswerPacket decode_puback(const Packet& packet) {
  check_flags(packet);
  Reader reader(packet.body);
  AnswerPacket answer;
  answer.packet_id = static_cast<std::uint16_t>(reader.number(2));
  if (reader.left() > 0) answer.reason = static_cast<std::uint8_t>(reader.number(1));
  return answer;
}

AnswerPacket decode_suback(const Packet& packet) {
  check_flags(packet);
  Reader reader(packet.body);
  AnswerPacket answer;
  answer.packet_id = static_cast<std::uint16_t>(reader.number(2));
  reader.properties(ignore);
  answer.reason = static_cast<std::uint8_t>(reader.number(1));
  return answer;
}

std::uint8_t decode_disconnect(const Packet& packet) {
  check_flags(packet);
  return packet.body.empty() ? std::uint8_t{0} : packet.body[0];
}

}  // namespace openssl_client
