#include "boards/process/openssl_client/claim_session.h"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace openssl_client {
namespace {

namespace json = boost::json;

constexpr Milliseconds answer_limit{10'000};
constexpr std::size_t own_maximum_packet_size = 64U << 10U;
constexpr std::uint8_t first_failure = 0x80;
constexpr char create_topic[] = "$aws/certificates/create-from-csr/json";
constexpr char accepted[] = "/accepted";
constexpr char rejected[] = "/rejected";
constexpr std::uint16_t certificate_filter_id = 1;
constexpr std::uint16_t provision_filter_id = 2;

json::object object_of(const std::string& payload) {
  boost::system::error_code error;
  json::value parsed = json::parse(payload, error);
  if (error || !parsed.is_object()) throw ConnectionLost("an answer to provisioning that is no JSON object");
  return std::move(parsed.as_object());
}

std::string text_of(const json::object& answer, const char* name) {
  const json::value* member = answer.if_contains(name);
  if (member == nullptr || !member->is_string()) throw ConnectionLost(std::string("an answer without ") + name);
  return std::string(member->as_string());
}

}  // namespace

ClaimSession::ClaimSession(const Settings& settings, std::string request_pem, Clock::time_point now)
    : settings_(settings),
      request_pem_(std::move(request_pem)),
      provision_topic_("$aws/provisioning-templates/" + settings.fleet_template + "/provision/json"),
      answer_due_(now + answer_limit) {
  ConnectPacket connect;
  connect.client_id = settings_.client_id;
  connect.keep_alive_s = static_cast<std::uint16_t>(settings_.keep_alive_s);
  connect.maximum_packet_size = own_maximum_packet_size;
  send(encode(connect));
}

void ClaimSession::send(const Bytes& octets) { outgoing_.insert(outgoing_.end(), octets.begin(), octets.end()); }

Bytes ClaimSession::take_output() { return std::exchange(outgoing_, {}); }

void ClaimSession::tick(Clock::time_point now) const {
  if (now >= answer_due_) throw ConnectionLost("no answer to provisioning in time");
}

void ClaimSession::receive(const Bytes& octets, Clock::time_point now) {
  incoming_.insert(incoming_.end(), octets.begin(), octets.end());
  while (const auto packet = take_packet(incoming_, own_maximum_packet_size)) {
    handle(*packet);
    answer_due_ = now + answer_limit;
  }
}

void ClaimSession::handle(const Packet& packet) {
  if (connected_ == (packet.type == PacketType::connack)) throw ConnectionLost("a CONNACK missing, or a second one");
  switch (packet.type) {
    case PacketType::connack:
      if (decode_connack(packet).reason != 0) throw ConnectionLost("the claim was refused by CONNACK");
      connected_ = true;
      return send(encode_subscribe(certificate_filter_id, std::string(create_topic) + "/+"));
    case PacketType::suback:
      return on_suback(decode_suback(packet));
    case PacketType::puback:
      if (decode_puback(packet).reason >= first_failure) throw ConnectionLost("the claim may not ask for provisioning");
      return;
    case PacketType::publish:
      return on_answer(decode_publish(packet));
    case PacketType::disconnect:
      throw ConnectionLost("the server said DISCONNECT");
    default:
      throw ConnectionLost("a packet that nothing was asked with");
  }
}

/// Asked only once both answers can be heard.
void ClaimSession::on_suback(const AnswerPacket& answer) {
  if (answer.reason >= first_failure) throw ConnectionLost("the claim may not hear the answers to provisioning");
  if (answer.packet_id == certificate_filter_id)
    return send(encode_subscribe(provision_filter_id, provision_topic_ + "/+"));
  if (answer.packet_id != provision_filter_id) throw ConnectionLost("a SUBACK for no SUBSCRIBE");
  last_packet_id_ = provision_filter_id;
  ask(create_topic, json::serialize(json::object{{"certificateSigningRequest", request_pem_}}));
}

void ClaimSession::ask(const std::string& topic, const std::string& payload) {
  send(encode(PublishPacket{topic, payload, 1, false, ++last_packet_id_}));
}

void ClaimSession::on_answer(const PublishPacket& answer) {
  if (answer.qos == 1) send(encode_puback(answer.packet_id));
  const bool of_create = answer.topic.rfind(create_topic, 0) == 0;
  const std::string asked = of_create ? std::string(create_topic) : provision_topic_;
  if (answer.topic == asked + rejected) throw ConnectionLost("rejected: " + answer.topic + " " + answer.payload);
  if (answer.topic != asked + accepted) throw ConnectionLost("a message that was not asked for");
  if (of_create && certificate_pem_.empty()) return on_certificate(answer.payload);
  if (of_create || certificate_pem_.empty()) throw ConnectionLost("an answer that was not asked for");
  provisioned_ = true;
  send(encode_disconnect(0));
}

void ClaimSession::on_certificate(const std::string& payload) {
  const json::object answer = object_of(payload);
  certificate_pem_ = text_of(answer, "certificatePem");
  ask(provision_topic_,
      json::serialize(json::object{{"certificateOwnershipToken", text_of(answer, "certificateOwnershipToken")},
                                   {"parameters", json::object{{"SerialNumber", settings_.client_id}}}}));
}

}  // namespace openssl_client
