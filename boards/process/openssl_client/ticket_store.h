// TLS sessions to be resumed, in a file, so that they outlive a restart as a device's flash does. One for each endpoint
// name, bound to the identity under which it was made: under another it is dropped (RFC 8446 §4.6.1 ties a ticket to
// the server's name, and a resumed session keeps the client's old certificate).
#pragma once

#include <map>
#include <memory>
#include <string>

#include <openssl/ssl.h>

namespace openssl_client {

struct ReleaseSession {
  void operator()(SSL_SESSION* session) const { SSL_SESSION_free(session); }
};
using Session = std::unique_ptr<SSL_SESSION, ReleaseSession>;

class TicketStore {
 public:
  struct Rules {
    bool ignore_name = false;      ///< a defect: any name's session is offered
    bool ignore_identity = false;  ///< a defect: an old identity's session is offered
  };
  /// `identity` is a fingerprint of certificate and key. A file that cannot be read counts as empty.
  TicketStore(std::string file, std::string identity, Rules rules);

  void put(const std::string& name, SSL_SESSION* session);
  /// The name's session, or null. It is gone then: a ticket is offered once (RFC 8446 appendix C.4).
  [[nodiscard]] Session take(const std::string& name);

 private:
  struct Entry {
    std::string identity;
    std::string session_hex;
  };
  void load();
  void save() const;

  std::string file_;
  std::string identity_;
  Rules rules_;
  std::map<std::string, Entry> entries_;  // by name
};

/// SHA-256 in hex of the files' content.
[[nodiscard]] std::string fingerprint(const std::string& first_file, const std::string& second_file);

}  // namespace openssl_client
