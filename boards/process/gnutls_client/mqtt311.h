// What a publisher says and hears in MQTT 3.1.1 (OASIS standard, sections 2 and 3).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace gnutls_client {

struct Publication {
  std::string topic;
  std::string payload;
  int qos = 1;
  bool duplicate = false;
  std::uint16_t packet_id = 0;  ///< QoS 1 alone
};

[[nodiscard]] std::string connect_packet(const std::string& client_id, bool clean_session, std::uint16_t keep_alive_s);
[[nodiscard]] std::string publish_packet(const Publication& publication);
[[nodiscard]] std::string pingreq_packet();

struct Packet {
  int type = 0;
  std::string body;  ///< without the fixed header
  /// Two octets of the body as a number; throws std::runtime_error where there are none.
  [[nodiscard]] std::uint16_t number_at(std::size_t offset) const;
};
constexpr int connack = 2;
constexpr int puback = 4;
constexpr int pingresp = 13;

/// Takes the first whole packet out of `buffered`; none: more octets are needed. Throws std::runtime_error where the
/// octets are no MQTT, or too many for a client that subscribes to nothing.
[[nodiscard]] std::optional<Packet> take_packet(std::string& buffered);

}  // namespace gnutls_client
