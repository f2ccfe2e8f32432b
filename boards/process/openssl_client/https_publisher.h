// Messages over HTTPS, each on a connection of its own: by turns on port 8443, and on 443 by ALPN.
#pragma once

#include "boards/process/openssl_client/tls_link.h"

namespace openssl_client {

/// A POST to the topic that publishes `payload` at QoS 1.
[[nodiscard]] std::string publish_request(const Settings& settings, const std::string& host,
                                          const std::string& payload);

/// What its requests have for their Host: the endpoint; with the defect http-host-stale the first one that it ever had,
/// which it keeps in a file beside its tickets.
[[nodiscard]] std::string host_of(const Settings& settings);

class HttpsPublisher {
 public:
  HttpsPublisher(const Settings& settings, TicketStore& tickets)
      : settings_(settings), host_(host_of(settings)), tickets_(tickets) {}

  /// Publishes if that is due, and waits for the answer; what came of it: "HTTP/1.1 200 OK". Empty: it was not due.
  [[nodiscard]] std::string tick(Clock::time_point now);
  [[nodiscard]] Clock::time_point next_deadline() const;

 private:
  [[nodiscard]] std::string publish(const LinkPlan& plan) const;

  const Settings& settings_;
  const std::string host_;
  TicketStore& tickets_;
  Clock::time_point next_;
  unsigned count_ = 0;
};

}  // namespace openssl_client
