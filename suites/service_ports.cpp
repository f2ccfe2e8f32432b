#include "suites/service_ports.h"

#include <algorithm>

namespace hilmark::suites {

using cloud::Listener;

FurtherPort::FurtherPort(Bench& bench, Listener listener, std::uint16_t port)
    : cloud_(bench.cloud()), region_(bench.account_a().region), listener_(listener) {
  if (const auto opened = cloud_.open_port(region_, listener, port); !opened) {
    throw NotApplicable(fmt::format("here the rig cannot be the service at port {}: {}", port, opened.error().message));
  }
}

bool offers(const Hello& hello, std::string_view protocol) {
  return std::find(hello.protocols.begin(), hello.protocols.end(), protocol) != hello.protocols.end();
}

bool is_meant_for_https(const Hello& hello) {
  if (hello.listener == name_of(Listener::https)) return true;
  return hello.listener == name_of(Listener::alpn) && !offers(hello, mqtt_protocol) &&
         (offers(hello, "x-amzn-http-ca") || offers(hello, "http/1.1"));
}

std::string_view host_without_port(std::string_view host) {
  const std::size_t colon = host.rfind(':');
  if (colon == std::string_view::npos || host.find_first_not_of("0123456789", colon + 1) != std::string_view::npos) {
    return host;
  }
  return host.substr(0, colon);
}

}  // namespace hilmark::suites
