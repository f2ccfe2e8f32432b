// One TLS connection to the endpoint: name resolution, TCP, handshake, octets. Throws ConnectionLost when it ends.
#pragma once

#include <memory>
#include <string>

#include <openssl/ssl.h>

#include "boards/process/openssl_client/settings.h"
#include "boards/process/openssl_client/ticket_store.h"

namespace openssl_client {

/// The server said unrecognized_name (RFC 6066 §3).
struct NameRefused : ConnectionLost {
  using ConnectionLost::ConnectionLost;
};

/// What a connection is for.
struct LinkPlan {
  std::string port;
  std::string protocol;   ///< offered by ALPN; empty: none
  bool send_name = true;  ///< else there is no server_name: a defect asks for that
  bool resume = true;     ///< offers the session that is kept, and keeps what it is given
};

class TlsLink {
 public:
  TlsLink(const Settings& settings, TicketStore& tickets);
  ~TlsLink();
  TlsLink(const TlsLink&) = delete;
  TlsLink& operator=(const TlsLink&) = delete;

  /// Connects and completes the handshake.
  void open(LinkPlan plan);
  /// What has come by `deadline`; empty: nothing has.
  [[nodiscard]] Bytes receive(Clock::time_point deadline);
  void send(const Bytes& octets);
  /// Says close_notify; the other end may be gone already.
  void close() noexcept;
  [[nodiscard]] std::string description() const;  ///< "TLSv1.3, resumed"

 private:
  struct ReleaseContext {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  };
  struct ReleaseSsl {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };
  void make_context();
  void dial();
  void prepare();
  void offer_session();
  void offer_protocol();
  void shake_hands();
  /// Waits for the socket as the last call on the connection wants; false: not by the deadline.
  bool wait_for(int result, Clock::time_point deadline);
  static int on_new_session(SSL* ssl, SSL_SESSION* session);
  static void on_message(int sent, int version, int type, const void* octets, std::size_t size, SSL* ssl, void*);

  const Settings& settings_;
  TicketStore& tickets_;
  std::unique_ptr<SSL_CTX, ReleaseContext> context_;
  std::unique_ptr<SSL, ReleaseSsl> ssl_;
  int socket_ = -1;
  LinkPlan plan_;
  bool session_offered_ = false;
};

}  // namespace openssl_client
