// A TLS connection by GnuTLS, in its default configuration. Everything throws std::runtime_error when it ends.
#pragma once

#include <memory>
#include <string>

#include <gnutls/gnutls.h>

namespace gnutls_client {

struct Identity {
  std::string chain_file;
  std::string key_file;
  std::string root_ca_file;
};

class Tls {
 public:
  /// Resolves `host`, connects, and completes the handshake with a server that proves to be it.
  Tls(const Identity& identity, const std::string& host, const std::string& port);
  ~Tls();
  Tls(const Tls&) = delete;
  Tls& operator=(const Tls&) = delete;

  void send(const std::string& octets);
  /// Empty: nothing came in that time.
  [[nodiscard]] std::string receive(unsigned timeout_ms);
  void say_goodbye();
  [[nodiscard]] std::string description() const;

 private:
  struct ReleaseCredentials {
    void operator()(gnutls_certificate_credentials_st* it) const { gnutls_certificate_free_credentials(it); }
  };
  struct ReleaseSession {
    void operator()(gnutls_session_int* it) const { gnutls_deinit(it); }
  };
  class Socket {
   public:
    Socket(const std::string& host, const std::string& port);
    ~Socket();
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;
    [[nodiscard]] int get() const { return socket_; }

   private:
    int socket_ = -1;
  };

  Socket socket_;
  std::unique_ptr<gnutls_certificate_credentials_st, ReleaseCredentials> credentials_;
  std::unique_ptr<gnutls_session_int, ReleaseSession> session_;
};

}  // namespace gnutls_client
