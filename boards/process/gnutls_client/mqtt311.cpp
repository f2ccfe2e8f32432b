#include "boards/process/gnutls_client/mqtt311.h"

#include <stdexcept>

namespace gnutls_client {
namespace {

constexpr std::size_t largest_answer = 1024;

std::string number(std::uint16_t value) { return {static_cast<char>(value >> 8U), static_cast<char>(value & 0xffU)}; }
std::string counted(const std::string& text) { return number(static_cast<std::uint16_t>(text.size())) + text; }

std::string packet(unsigned first_octet, const std::string& body) {
  std::string whole(1, static_cast<char>(first_octet));
  std::size_t length = body.size();
  do {
    whole += static_cast<char>((length & 0x7fU) | (length > 0x7f ? 0x80U : 0U));
    length >>= 7U;
  } while (length > 0);
  return whole + body;
}

}  // namespace

std::string connect_packet(const std::string& client_id, bool clean_session, std::uint16_t keep_alive_s) {
  const std::string flags(1, clean_session ? '\x02' : '\0');
  return packet(0x10, counted("MQTT") + '\x04' + flags + number(keep_alive_s) + counted(client_id));
}

std::string publish_packet(const Publication& publication) {
  const unsigned flags = (publication.duplicate ? 8U : 0U) | static_cast<unsigned>(publication.qos) << 1U;
  const std::string id = publication.qos > 0 ? number(publication.packet_id) : "";
  return packet(0x30U | flags, counted(publication.topic) + id + publication.payload);
}

std::string pingreq_packet() { return packet(0xc0, ""); }

std::uint16_t Packet::number_at(std::size_t offset) const {
  if (body.size() < offset + 2) throw std::runtime_error("a packet that is cut short");
  return static_cast<std::uint16_t>(static_cast<std::uint8_t>(body[offset]) << 8U |
                                    static_cast<std::uint8_t>(body[offset + 1]));
}

std::optional<Packet> take_packet(std::string& buffered) {
  std::size_t length = 0;
  std::size_t header = 1;
  for (unsigned shift = 0;; shift += 7) {
    if (shift > 21) throw std::runtime_error("a packet's length of more than 4 octets");
    if (buffered.size() <= header) return std::nullopt;
    const auto octet = static_cast<std::uint8_t>(buffered[header++]);
    length |= static_cast<std::size_t>(octet & 0x7fU) << shift;
    if ((octet & 0x80U) == 0) break;
  }
  if (length > largest_answer) throw std::runtime_error("a packet larger than any answer");
  if (buffered.size() < header + length) return std::nullopt;
  Packet taken{static_cast<std::uint8_t>(buffered[0]) >> 4, buffered.substr(header, length)};
  buffered.erase(0, header + length);
  return taken;
}

}  // namespace gnutls_client
