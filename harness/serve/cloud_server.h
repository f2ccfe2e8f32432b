// `hilmark cloud serve`: registry, API, endpoint and brokers in one process, until it is told to end.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "harness/base/clock.h"
#include "harness/base/error.h"

namespace hilmark::serve {

struct ServeOptions {
  std::filesystem::path config;       ///< empty: the usual accounts and regions
  std::string listen = "127.0.0.1";   ///< IPv4; the only thing that leaves the loopback
  std::uint16_t control = 4580;       ///< of each port 0: any free one
  std::uint16_t mqtt = 8883;          ///< MQTT under the device's certificate
  std::uint16_t https = 8443;         ///< HTTPS publish under the device's certificate
  std::optional<std::uint16_t> alpn;  ///< 443: by ALPN; none unless asked for, since it takes privileges
  std::filesystem::path state;        ///< empty: in memory
  std::filesystem::path events;       ///< evidence, one JSON object a line; appended
  std::filesystem::path ready_file;
  /// After how long the rig itself activates a certificate that waits (JITR); none: never.
  std::optional<Milliseconds> activates_after;
};

/// Serves until SIGINT or SIGTERM, and ends clean: 0. Errors: usage (file, address, port), rig.
[[nodiscard]] Result<int> serve_cloud(const ServeOptions& options);

}  // namespace hilmark::serve
