// gmock matchers in the domain's words, so that a failure reads as a finding. RFC 6066 §3: "literal IPv4 and IPv6
// addresses are not permitted", no trailing dot; names are compared without case (RFC 4343).
#pragma once

#include <algorithm>
#include <string>

#include <arpa/inet.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>

#include "suites/observations.h"

namespace hilmark::suites {

inline bool same_name(std::string_view left, std::string_view right) {
  const auto lower = [](char letter) {
    return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter + 32) : letter;
  };
  return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                    [&](char a, char b) { return lower(a) == lower(b); });
}

inline bool is_ip_literal(const std::string& name) {
  in6_addr address{};
  return ::inet_pton(AF_INET, name.c_str(), &address) == 1 || ::inet_pton(AF_INET6, name.c_str(), &address) == 1;
}

MATCHER(CarriesExactlyOneHostName,
        "carries exactly one server_name extension with exactly one name of type host_name") {
  if (!arg.malformed.empty()) *result_listener << "it is malformed: " << arg.malformed;
  return arg.malformed.empty() && arg.server_name_extensions == 1 && arg.names.size() == 1 && arg.names[0].type == 0 &&
         !arg.names[0].name.empty();
}

MATCHER_P(CarriesServerName, name, "carries the server name \"" + std::string(name) + "\"") {
  if (arg.names.size() != 1) return false;
  const std::string& sent = arg.names[0].name;
  if (same_name(sent, name)) return true;
  if (same_name(sent, std::string(name) + ".")) {
    *result_listener << "it ends in a dot (RFC 6066 §3 sends names without it)";
  } else if (is_ip_literal(sent)) {
    *result_listener << "an IP literal is not permitted (RFC 6066 §3)";
  } else if (sent.find(':') != std::string::npos) {
    *result_listener << "it carries a port or a scheme";
  }
  return false;
}

MATCHER_P(OffersProtocol, protocol, "offers the protocol " + std::string(protocol) + " by ALPN (RFC 7301)") {
  const auto& offered = arg.protocols;
  if (std::find(offered.begin(), offered.end(), protocol) != offered.end()) return true;
  if (offered.empty()) {
    *result_listener << "it has no ALPN extension";
  } else {
    *result_listener << fmt::format("it offers: {}", fmt::join(offered, ", "));
  }
  return false;
}

MATCHER_P(LandedIn, account, "landed in account " + std::string(account)) { return arg.account == account; }
MATCHER_P(InMode, mode, "with its certificate in " + std::string(mode) + " mode") { return arg.mode == mode; }
MATCHER_P(WithCertificate, id, "with the certificate " + std::string(id).substr(0, 16) + "…") {
  return arg.certificate_id == id;
}
MATCHER(InOrder, "in order: its own first, each other certifies the one before") { return arg.order_ok; }

}  // namespace hilmark::suites
