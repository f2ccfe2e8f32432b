// Fleet provisioning by claim, without I/O: the MQTT connection under the claim, from CONNECT to the answer that makes
// a new certificate the device's own. Two steps: the certificate for a request, then its provisioning by a template.
#pragma once

#include "boards/process/openssl_client/mqtt_codec.h"
#include "boards/process/openssl_client/settings.h"

namespace openssl_client {

class ClaimSession {
 public:
  /// `request_pem` is what a certificate is asked for with.
  ClaimSession(const Settings& settings, std::string request_pem, Clock::time_point now);

  /// Throws ConnectionLost where the server breaks the standard, refuses, rejects, or says what it should not.
  void receive(const Bytes& octets, Clock::time_point now);
  /// Throws ConnectionLost where an answer is overdue.
  void tick(Clock::time_point now) const;
  [[nodiscard]] Bytes take_output();
  [[nodiscard]] Clock::time_point next_deadline() const { return answer_due_; }
  [[nodiscard]] bool provisioned() const { return provisioned_; }
  [[nodiscard]] const std::string& certificate_pem() const { return certificate_pem_; }

 private:
  void send(const Bytes& octets);
  void handle(const Packet& packet);
  void on_suback(const AnswerPacket& answer);
  void on_answer(const PublishPacket& answer);
  void on_certificate(const std::string& payload);
  void ask(const std::string& topic, const std::string& payload);

  const Settings& settings_;
  std::string request_pem_;
  std::string provision_topic_;
  Bytes incoming_;
  Bytes outgoing_;
  Clock::time_point answer_due_;  ///< of the step under way
  bool connected_ = false;
  std::uint16_t last_packet_id_ = 0;
  std::string certificate_pem_;
  bool provisioned_ = false;
};

}  // namespace openssl_client
