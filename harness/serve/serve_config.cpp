#include "harness/serve/serve_config.h"

#include <algorithm>
#include <regex>
#include <set>

#include "harness/base/bytes.h"
#include "harness/inventory/yaml_document.h"

namespace hilmark::serve {
namespace {

constexpr char region_shape[] = "[a-z]{2}(-[a-z]+)+-[0-9]{1,2}";
constexpr char name_shape[] = "([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?";
constexpr char address_shape[] = "[0-9]{1,3}(\\.[0-9]{1,3}){3}";
constexpr char key_shape[] = "[A-Za-z0-9/+=_.-]{1,128}";

std::string shaped(YamlMapping& mapping, const std::string& key, const char* shape, const char* meaning) {
  mapping.require(key);
  std::string value = mapping.text(key);
  if (!value.empty() && !std::regex_match(value, std::regex(shape))) {
    mapping.fault(key, fmt::format("expected {} in `{}`; got `{}`", meaning, key, printable(value)));
  }
  return value;
}

AccountFacts read_account(YamlMapping& mapping) {
  AccountFacts account;
  account.id = shaped(mapping, "id", "[0-9]{12}", "an account id of 12 digits");
  account.access_key = shaped(mapping, "access_key", key_shape, "an access key id without spaces");
  mapping.require("secret_key");
  // Never quoted in a message: it is a secret, if a small one.
  account.secret_key = mapping.text("secret_key");
  account.names = mapping.text_map("names");
  for (const auto& [region, name] : account.names) {
    if (!std::regex_match(name, std::regex(name_shape))) {
      mapping.fault("names", fmt::format("expected a DNS name in lower case for {}; got `{}`", printable(region),
                                         printable(name)));
    }
  }
  return account;
}

/// What must not stand twice, over all accounts.
void check_distinct(YamlMapping& root, const ServeConfig& config) {
  std::set<std::string> seen;
  const auto once = [&](const char* what, const std::string& value) {
    if (!value.empty() && !seen.insert(what + value).second) {
      root.fault("accounts", fmt::format("expected each {} once; got `{}` again", what, printable(value)));
    }
  };
  for (const AccountFacts& account : config.accounts) {
    once("account id", account.id);
    once("access key", account.access_key);
    for (const auto& [region, name] : account.names) {
      once("name", name);
      if (std::find(config.regions.begin(), config.regions.end(), region) == config.regions.end()) {
        root.fault("accounts", fmt::format("expected one of `regions` in `names`; got `{}`", printable(region)));
      }
    }
  }
}

void read_regions(YamlMapping& root, ServeConfig& config) {
  if (root.has("regions")) config.regions = root.texts("regions");
  if (config.regions.empty()) root.fault("regions", "expected at least one region in `regions`; got none");
  for (const std::string& region : config.regions) {
    if (!std::regex_match(region, std::regex(region_shape))) {
      root.fault("regions",
                 fmt::format("expected region names such as us-east-1 in `regions`; got `{}`", printable(region)));
    }
    if (std::count(config.regions.begin(), config.regions.end(), region) > 1) {
      root.fault("regions", fmt::format("expected each region once in `regions`; got `{}` again", printable(region)));
    }
  }
  config.addresses = root.text_map("addresses");
  for (const auto& [region, address] : config.addresses) {
    if (!std::regex_match(address, std::regex(address_shape))) {
      root.fault("addresses",
                 fmt::format("expected an IPv4 address for {}; got `{}`", printable(region), printable(address)));
    }
    if (std::find(config.regions.begin(), config.regions.end(), region) == config.regions.end()) {
      root.fault("addresses", fmt::format("expected one of `regions`; got `{}`", printable(region)));
    }
  }
}

void read_rules(YamlMapping& root, ServeConfig& config) {
  const auto rules = root.mapping("rules");
  if (!rules) return;
  const std::string sni = rules->text("sni");
  config.lenient = sni == "lenient";
  config.route_by_certificate = sni == "route-by-certificate";
  if (!sni.empty() && sni != "strict" && !config.lenient && !config.route_by_certificate) {
    rules->fault("sni",
                 fmt::format("expected strict, lenient or route-by-certificate in `sni`; got `{}`", printable(sni)));
  }
  const std::string refuse = rules->text("refuse");
  config.refuse_by_alert = refuse == "alert";
  if (!refuse.empty() && refuse != "close" && refuse != "alert") {
    rules->fault("refuse", fmt::format("expected close or alert in `refuse`; got `{}`", printable(refuse)));
  }
  const std::string limits = rules->text("rate_limits");
  config.rate_limits = limits == "on";
  if (!limits.empty() && limits != "on" && limits != "off") {
    rules->fault("rate_limits", fmt::format("expected on or off in `rate_limits`; got `{}`", printable(limits)));
  }
}

}  // namespace

ServeConfig ServeConfig::usual() {
  ServeConfig config;
  config.accounts = {{"111111111111", "hilmark-a", "hilmark-a", {}}, {"222222222222", "hilmark-b", "hilmark-b", {}}};
  config.regions = {"us-east-1", "eu-west-1"};
  return config;
}

Result<ServeConfig> read_serve_config(const std::filesystem::path& file) {
  ServeConfig config = ServeConfig::usual();
  auto read = read_yaml(file, [&](YamlMapping& root) {
    root.check_version();
    read_regions(root, config);
    if (root.has("accounts")) {
      config.accounts.clear();
      for (const auto& account : root.mappings("accounts")) config.accounts.push_back(read_account(*account));
      if (config.accounts.empty()) root.fault("accounts", "expected at least one account in `accounts`; got none");
    }
    check_distinct(root, config);
    read_rules(root, config);
    config.jitr_hook = root.texts("jitr_hook");
  });
  if (!read) return fail(read.error());
  return config;
}

}  // namespace hilmark::serve
