#include "boards/process/openssl_client/tls_link.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <netdb.h>
#include <openssl/err.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace openssl_client {
namespace {

constexpr Milliseconds connect_limit{5000};
constexpr Milliseconds handshake_limit{10'000};
constexpr Milliseconds send_limit{10'000};
constexpr std::size_t truncated_bytes = 127;  // what the defect's buffer holds

/// "The random of a ServerHello that is a HelloRetryRequest" (RFC 8446 §4.1.3): SHA-256 of that name.
constexpr std::array<unsigned char, 32> hello_retry_random = {
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c};

std::string tls_reason() {
  const char* reason = ERR_reason_error_string(ERR_peek_error());
  std::string text = reason == nullptr ? "the connection was closed" : reason;
  ERR_clear_error();
  return text;
}

bool poll_until(int socket, short events, Clock::time_point deadline) {
  pollfd ready{socket, events, 0};
  while (true) {
    const auto left = std::chrono::ceil<Milliseconds>(deadline - Clock::now()).count();
    const int count = ::poll(&ready, 1, static_cast<int>(std::clamp<long long>(left, 0, 3'600'000)));
    if (count > 0) return true;
    if (count == 0 || errno != EINTR) return false;
  }
}

struct ReleaseAddresses {
  void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};
using Addresses = std::unique_ptr<addrinfo, ReleaseAddresses>;

Addresses resolve(const Settings& settings, const std::string& port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  int error = ::getaddrinfo(settings.endpoint.c_str(), port.c_str(), &hints, &list);
  if (error != 0 && !settings.connect_address.empty()) {
    error = ::getaddrinfo(settings.connect_address.c_str(), port.c_str(), &hints, &list);
  }
  if (error != 0) throw ConnectionLost("resolving " + settings.endpoint + ": " + ::gai_strerror(error));
  return Addresses(list);
}

int dial_one(const addrinfo& address) {
  const int made = ::socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (made < 0) return -1;
  int error = ::connect(made, address.ai_addr, address.ai_addrlen) == 0 ? 0 : errno;
  if (error == EINPROGRESS) {
    socklen_t size = sizeof error;
    error = ETIMEDOUT;
    if (poll_until(made, POLLOUT, Clock::now() + connect_limit))
      ::getsockopt(made, SOL_SOCKET, SO_ERROR, &error, &size);
  }
  if (error == 0) return made;
  ::close(made);
  errno = error;
  return -1;
}

}  // namespace

TlsLink::TlsLink(const Settings& settings, TicketStore& tickets) : settings_(settings), tickets_(tickets) {}

TlsLink::~TlsLink() {
  if (socket_ >= 0) ::close(socket_);
}

void TlsLink::open(LinkPlan plan) {
  plan_ = std::move(plan);
  ERR_clear_error();
  make_context();
  dial();
  prepare();
  shake_hands();
}

void TlsLink::make_context() {
  context_.reset(SSL_CTX_new(TLS_client_method()));
  SSL_CTX* context = context_.get();
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_max_proto_version(context, settings_.tls12_only ? TLS1_2_VERSION : TLS1_3_VERSION);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  const bool good = SSL_CTX_load_verify_file(context, settings_.root_ca_file.c_str()) == 1 &&
                    SSL_CTX_use_certificate_chain_file(context, settings_.chain_file.c_str()) == 1 &&
                    SSL_CTX_use_PrivateKey_file(context, settings_.key_file.c_str(), SSL_FILETYPE_PEM) == 1;
  if (!good) throw ConnectionLost("the identity cannot be used: " + tls_reason());
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context, &TlsLink::on_new_session);
}

void TlsLink::dial() {
  const Addresses addresses = resolve(settings_, plan_.port);
  for (const addrinfo* each = addresses.get(); each != nullptr && socket_ < 0; each = each->ai_next) {
    socket_ = dial_one(*each);
  }
  if (socket_ < 0) throw ConnectionLost(std::string("connecting: ") + std::strerror(errno));
}

void TlsLink::prepare() {
  ssl_.reset(SSL_new(context_.get()));
  SSL* ssl = ssl_.get();
  SSL_set_app_data(ssl, this);
  SSL_set_fd(ssl, socket_);
  SSL_set1_host(ssl, settings_.endpoint.c_str());
  if (plan_.resume) offer_session();
  if (session_offered_ && settings_.defect == Defect::sni_lost_on_resume) plan_.send_name = false;
  const bool cut = settings_.defect == Defect::sni_truncated;
  const std::string name = cut ? settings_.endpoint.substr(0, truncated_bytes) : settings_.endpoint;
  if (plan_.send_name) SSL_set_tlsext_host_name(ssl, name.c_str());
  if (settings_.defect == Defect::sni_lost_on_hrr) SSL_set_msg_callback(ssl, &TlsLink::on_message);
  if (!plan_.protocol.empty()) offer_protocol();
}

void TlsLink::offer_session() {
  const Session session = tickets_.take(settings_.endpoint);
  session_offered_ = session != nullptr;
  if (session_offered_) SSL_set_session(ssl_.get(), session.get());
  if (session_offered_ && settings_.defect == Defect::resume_only) tickets_.put(settings_.endpoint, session.get());
}

void TlsLink::offer_protocol() {
  const std::string list = static_cast<char>(plan_.protocol.size()) + plan_.protocol;
  SSL_set_alpn_protos(ssl_.get(), reinterpret_cast<const unsigned char*>(list.data()),
                      static_cast<unsigned>(list.size()));
}

void TlsLink::shake_hands() {
  const auto deadline = Clock::now() + handshake_limit;
  while (true) {
    ERR_clear_error();
    const int result = SSL_connect(ssl_.get());
    if (result == 1) break;
    if (!wait_for(result, deadline)) throw ConnectionLost("the handshake took too long");
  }
  const bool resumed = SSL_session_reused(ssl_.get()) == 1;
  if (session_offered_ && !resumed && settings_.defect == Defect::resume_only) {
    throw ConnectionLost("the server did not resume the session");
  }
  // A 1.2 session holds for many connections, a 1.3 ticket for one.
  if (resumed && SSL_version(ssl_.get()) == TLS1_2_VERSION) {
    tickets_.put(settings_.endpoint, SSL_get0_session(ssl_.get()));
  }
}

bool TlsLink::wait_for(int result, Clock::time_point deadline) {
  const int error = SSL_get_error(ssl_.get(), result);
  if (error == SSL_ERROR_WANT_READ) return poll_until(socket_, POLLIN, deadline);
  if (error == SSL_ERROR_WANT_WRITE) return poll_until(socket_, POLLOUT, deadline);
  const bool refused = ERR_GET_REASON(ERR_peek_error()) == SSL_R_TLSV1_UNRECOGNIZED_NAME;
  if (refused) throw NameRefused(tls_reason());
  throw ConnectionLost(error == SSL_ERROR_ZERO_RETURN ? "the server closed the connection" : "TLS: " + tls_reason());
}

Bytes TlsLink::receive(Clock::time_point deadline) {
  Bytes octets(16384);
  while (true) {
    ERR_clear_error();
    const int count = SSL_read(ssl_.get(), octets.data(), static_cast<int>(octets.size()));
    if (count > 0) {
      octets.resize(static_cast<std::size_t>(count));
      return octets;
    }
    if (!wait_for(count, deadline)) return {};
  }
}

void TlsLink::send(const Bytes& octets) {
  const auto deadline = Clock::now() + send_limit;
  while (!octets.empty()) {
    ERR_clear_error();
    const int count = SSL_write(ssl_.get(), octets.data(), static_cast<int>(octets.size()));
    if (count > 0) return;
    if (!wait_for(count, deadline)) throw ConnectionLost("the server takes no more octets");
  }
}

void TlsLink::close() noexcept {
  if (ssl_ != nullptr && SSL_is_init_finished(ssl_.get()) == 1) SSL_shutdown(ssl_.get());
  ERR_clear_error();
}

std::string TlsLink::description() const {
  return std::string(SSL_get_version(ssl_.get())) + (SSL_session_reused(ssl_.get()) == 1 ? ", resumed" : "");
}

int TlsLink::on_new_session(SSL* ssl, SSL_SESSION* session) {
  auto* link = static_cast<TlsLink*>(SSL_get_app_data(ssl));
  if (link->plan_.resume && SSL_SESSION_is_resumable(session) == 1)
    link->tickets_.put(link->settings_.endpoint, session);
  return 0;  // The session stays OpenSSL's.
}

// The second ClientHello is made anew from what is set by then, so that the name can be lost without breaking the
// transcript: both ends hash the same octets.
void TlsLink::on_message(int sent, int, int type, const void* octets, std::size_t size, SSL* ssl, void*) {
  constexpr std::size_t random_at = 4 + 2;
  const auto* message = static_cast<const unsigned char*>(octets);
  if (sent != 0 || type != SSL3_RT_HANDSHAKE || size < random_at + hello_retry_random.size()) return;
  if (message[0] != SSL3_MT_SERVER_HELLO) return;
  if (std::equal(hello_retry_random.begin(), hello_retry_random.end(), message + random_at)) {
    SSL_set_tlsext_host_name(ssl, nullptr);
  }
}

}  // namespace openssl_client
