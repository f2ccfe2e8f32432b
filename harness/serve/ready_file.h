// `--ready-file` of the cloud: written once it answers, for scripts.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "harness/base/error.h"
#include "harness/serve/serve_config.h"

namespace hilmark::serve {

struct ReadyRegion {
  std::string address;  ///< IPv4
  std::uint16_t mqtt = 0;
  std::uint16_t https = 0;
  std::optional<std::uint16_t> alpn;             ///< where it was asked for
  std::map<std::string, std::string> endpoints;  ///< account -> endpoint name
};

struct ReadyFacts {
  std::string control;            ///< the API's URL
  std::filesystem::path root_ca;  ///< PEM: what devices trust
  std::vector<AccountFacts> accounts;
  std::map<std::string, ReadyRegion> regions;
};

/// By rename, so that whoever waits for it finds it whole; with keys in it, it is its owner's alone. Errors
/// (usage): it cannot be written.
[[nodiscard]] Result<void> write_ready_file(const std::filesystem::path& path, const ReadyFacts& facts);

}  // namespace hilmark::serve
