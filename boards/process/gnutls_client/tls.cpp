#include "boards/process/gnutls_client/tls.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>

#include <netdb.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

namespace gnutls_client {
namespace {

constexpr unsigned handshake_limit_ms = 10'000;
constexpr int connect_limit_s = 5;

void check(int result, const char* what) {
  if (result < 0) throw std::runtime_error(std::string(what) + ": " + gnutls_strerror(result));
}

}  // namespace

Tls::Socket::Socket(const std::string& host, const std::string& port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  if (const int error = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &list); error != 0) {
    throw std::runtime_error("resolving " + host + ": " + ::gai_strerror(error));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> addresses(list, &::freeaddrinfo);
  int error = 0;
  for (const addrinfo* each = list; each != nullptr && socket_ < 0; each = each->ai_next) {
    const int made = ::socket(each->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    // It bounds connect() and every send() on Linux.
    const timeval limit{connect_limit_s, 0};
    ::setsockopt(made, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (::connect(made, each->ai_addr, each->ai_addrlen) == 0) {
      socket_ = made;
    } else {
      error = errno;
      ::close(made);
    }
  }
  if (socket_ < 0) throw std::runtime_error(std::string("connecting: ") + std::strerror(error));
}

Tls::Socket::~Socket() { ::close(socket_); }

Tls::Tls(const Identity& identity, const std::string& host, const std::string& port) : socket_(host, port) {
  gnutls_certificate_credentials_t credentials = nullptr;
  check(gnutls_certificate_allocate_credentials(&credentials), "GnuTLS");
  credentials_.reset(credentials);
  check(gnutls_certificate_set_x509_trust_file(credentials, identity.root_ca_file.c_str(), GNUTLS_X509_FMT_PEM),
        "the trust anchor");
  check(gnutls_certificate_set_x509_key_file(credentials, identity.chain_file.c_str(), identity.key_file.c_str(),
                                             GNUTLS_X509_FMT_PEM),
        "the identity");
  gnutls_session_t session = nullptr;
  check(gnutls_init(&session, GNUTLS_CLIENT), "GnuTLS");
  session_.reset(session);
  check(gnutls_set_default_priority(session), "GnuTLS");
  check(gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials), "GnuTLS");
  check(gnutls_server_name_set(session, GNUTLS_NAME_DNS, host.data(), host.size()), "the server's name");
  gnutls_session_set_verify_cert(session, host.c_str(), 0);
  if (port == "443") {
    std::string protocol = "x-amzn-mqtt-ca";
    const gnutls_datum_t list{reinterpret_cast<unsigned char*>(protocol.data()),
                              static_cast<unsigned>(protocol.size())};
    check(gnutls_alpn_set_protocols(session, &list, 1, 0), "ALPN");
  }
  gnutls_transport_set_int(session, socket_.get());
  gnutls_handshake_set_timeout(session, handshake_limit_ms);
  int result = GNUTLS_E_AGAIN;
  while (result < 0 && gnutls_error_is_fatal(result) == 0) result = gnutls_handshake(session);
  if (result == GNUTLS_E_FATAL_ALERT_RECEIVED) {
    throw std::runtime_error(std::string("the server's alert: ") + gnutls_alert_get_name(gnutls_alert_get(session)));
  }
  // GnuTLS leaves it to its caller to tell the server why.
  if (result < 0) gnutls_alert_send_appropriate(session, result);
  check(result, "the handshake");
}

Tls::~Tls() = default;

void Tls::send(const std::string& octets) {
  std::size_t sent = 0;
  while (sent < octets.size()) {
    const auto count = gnutls_record_send(session_.get(), octets.data() + sent, octets.size() - sent);
    if (count < 0 && gnutls_error_is_fatal(static_cast<int>(count)) == 0) continue;
    check(static_cast<int>(count), "sending");
    sent += static_cast<std::size_t>(count);
  }
}

std::string Tls::receive(unsigned timeout_ms) {
  std::array<char, 4096> octets{};
  gnutls_record_set_timeout(session_.get(), timeout_ms);
  const auto count = gnutls_record_recv(session_.get(), octets.data(), octets.size());
  if (count == 0) throw std::runtime_error("the server closed the connection");
  if (count > 0) return {octets.data(), static_cast<std::size_t>(count)};
  const bool nothing_yet = count == GNUTLS_E_TIMEDOUT || gnutls_error_is_fatal(static_cast<int>(count)) == 0;
  if (!nothing_yet) check(static_cast<int>(count), "receiving");
  return "";
}

void Tls::say_goodbye() { gnutls_bye(session_.get(), GNUTLS_SHUT_WR); }

std::string Tls::description() const { return gnutls_protocol_get_name(gnutls_protocol_get_version(session_.get())); }

}  // namespace gnutls_client
