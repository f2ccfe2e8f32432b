// Evidence with a type: what claims and matchers speak about.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "harness/base/evidence.h"

namespace hilmark::suites {

/// Of the endpoint's evidence that of the unit, not of the rig's own probe.
[[nodiscard]] inline bool of_unit(const Evidence& piece) {
  return piece.source == "endpoint" && piece.text("origin") == "unit";
}

struct ServerName {
  int type = 0;      ///< NameType: 0 is host_name (RFC 6066 §3)
  std::string name;  ///< made printable
};

/// A session that a ClientHello offers to resume.
struct Offer {
  std::string kind;  ///< "session_id", "ticket", "pre_shared_key"
  std::string id;    ///< of its octets
  bool ours = false;
  std::string account;         ///< of ours: whose endpoint had issued it
  std::string certificate_id;  ///< of ours: under which it was issued; empty: none had been shown yet
};

/// A ClientHello as the endpoint read it.
struct Hello {
  EvidencePtr evidence;
  int server_name_extensions = 0;
  std::vector<ServerName> names;
  std::string malformed;  ///< empty: well-formed
  std::vector<Offer> offers;
  std::string listener;                ///< what its port is for: "mqtt" (8883), "alpn" (443), "https" (8443)
  std::vector<std::string> protocols;  ///< offered by ALPN, made printable

  [[nodiscard]] static Hello from(const EvidencePtr& evidence);
};
void PrintTo(const Hello& hello, std::ostream* out);

/// Where a served connection landed, and by which identity.
struct Landing {
  EvidencePtr evidence;
  std::string account;
  std::string certificate_id;
  std::string mode;
  std::string sni;

  [[nodiscard]] static Landing from(const EvidencePtr& evidence);
};
void PrintTo(const Landing& landing, std::ostream* out);

/// The certificates that a client presented.
struct Presented {
  EvidencePtr evidence;
  std::string certificate_id;
  bool order_ok = false;
  std::string order_fault;
  std::int64_t count = 0;

  [[nodiscard]] static Presented from(const EvidencePtr& evidence);
};
void PrintTo(const Presented& presented, std::ostream* out);

}  // namespace hilmark::suites
