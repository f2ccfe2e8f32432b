// The octets of MQTT 5 (OASIS standard, sections 2 and 3), as far as a publisher with one subscription needs them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "boards/process/openssl_client/bytes.h"

namespace openssl_client {

enum class PacketType : std::uint8_t {
  connect = 1,
  connack = 2,
  publish = 3,
  puback = 4,
  subscribe = 8,
  suback = 9,
  pingreq = 12,
  pingresp = 13,
  disconnect = 14,
};

struct ConnectPacket {
  std::string client_id;
  bool clean_start = true;
  std::uint16_t keep_alive_s = 0;
  std::uint32_t session_expiry_s = 0;
  std::uint32_t maximum_packet_size = 0;
};
struct PublishPacket {
  std::string topic;
  std::string payload;
  int qos = 0;
  bool duplicate = false;
  std::uint16_t packet_id = 0;  ///< QoS 1 alone
};
/// What the server said of itself in CONNACK (section 3.2.2.3); absent properties have their standard's default.
struct ConnackPacket {
  bool session_present = false;
  std::uint8_t reason = 0;
  std::optional<std::uint16_t> server_keep_alive_s;
  std::uint16_t receive_maximum = 65535;
  std::uint32_t maximum_packet_size = 268435460;
};
/// PUBACK, SUBACK, DISCONNECT.
struct AnswerPacket {
  std::uint16_t packet_id = 0;
  std::uint8_t reason = 0;
};
struct Packet {
  PacketType type = PacketType::connack;
  std::uint8_t flags = 0;
  Bytes body;  ///< without the fixed header
};

[[nodiscard]] Bytes encode(const ConnectPacket& connect);
[[nodiscard]] Bytes encode(const PublishPacket& publish);
[[nodiscard]] Bytes encode_subscribe(std::uint16_t packet_id, const std::string& filter);
[[nodiscard]] Bytes encode_puback(std::uint16_t packet_id);
[[nodiscard]] Bytes encode_pingreq();
[[nodiscard]] Bytes encode_disconnect(std::uint8_t reason);

/// Takes the first whole packet out of `buffered`; none: more octets are needed. Like all that decodes it throws
/// ConnectionLost where the octets break the standard, or the packet is larger than `maximum`.
[[nodiscard]] std::optional<Packet> take_packet(Bytes& buffered, std::size_t maximum);
[[nodiscard]] ConnackPacket decode_connack(const Packet& packet);
[[nodiscard]] PublishPacket decode_publish(const Packet& packet);
[[nodiscard]] AnswerPacket decode_puback(const Packet& packet);
[[nodiscard]] AnswerPacket decode_suback(const Packet& packet);
[[nodiscard]] std::uint8_t decode_disconnect(const Packet& packet);  ///< the reason

}  // namespace openssl_client
