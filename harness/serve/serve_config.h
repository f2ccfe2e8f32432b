// The file of `hilmark cloud serve --config`: which accounts, regions and names the cloud has, and how strict it is.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "harness/base/error.h"

namespace hilmark::serve {

struct AccountFacts {
  std::string id;  ///< 12 digits
  std::string access_key;
  std::string secret_key;
  /// Region -> further names by which devices reach this account there (and its certificate covers).
  std::map<std::string, std::string> names;
};

struct ServeConfig {
  std::vector<AccountFacts> accounts;
  std::vector<std::string> regions;
  std::map<std::string, std::string> addresses;  ///< region -> IPv4 address; without one: chosen from --listen
  bool lenient = false;                          ///< sni: lenient
  bool route_by_certificate = false;             ///< sni: route-by-certificate
  bool refuse_by_alert = false;                  ///< refuse: alert
  bool rate_limits = false;
  std::vector<std::string> jitr_hook;  ///< a command, run for each certificate that waits for its activation

  /// Two accounts and two regions, as in the lab: keys hilmark-a / hilmark-a and hilmark-b / hilmark-b.
  [[nodiscard]] static ServeConfig usual();
};

/// Errors (usage): each fault with file, line and what was expected.
[[nodiscard]] Result<ServeConfig> read_serve_config(const std::filesystem::path& file);

}  // namespace hilmark::serve
