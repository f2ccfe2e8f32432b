// The service's ports beside 8883, which the rig opens only while a case is about them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "suites/bench.h"

namespace hilmark::suites {

constexpr std::uint16_t alpn_port = 443;
constexpr std::uint16_t https_port = 8443;
constexpr const char* mqtt_protocol = "x-amzn-mqtt-ca";

/// The home region listens at another port of the service's, for as long as this lives. Ends the case as not applicable
/// where the rig cannot.
class FurtherPort {
 public:
  FurtherPort(Bench& bench, cloud::Listener listener, std::uint16_t port);
  FurtherPort(const FurtherPort&) = delete;
  FurtherPort& operator=(const FurtherPort&) = delete;
  ~FurtherPort() { cloud_.close_port(region_, listener_); }

 private:
  cloud::Cloud& cloud_;
  const std::string region_;
  const cloud::Listener listener_;
};

[[nodiscard]] bool offers(const Hello& hello, std::string_view protocol);  ///< by ALPN

/// On 443 the service takes for HTTPS what does not offer MQTT; said in so many words, it is meant so.
[[nodiscard]] bool is_meant_for_https(const Hello& hello);

/// A Host field's value without its port (RFC 9110 section 7.2).
[[nodiscard]] std::string_view host_without_port(std::string_view host);

}  // namespace hilmark::suites
