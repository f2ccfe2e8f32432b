#include "boards/process/openssl_client/settings.h"

#include <charconv>
#include <cstdlib>

namespace openssl_client {
namespace {

std::string from_environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string required(const char* name) {
  std::string value = from_environment(name);
  if (value.empty()) throw std::invalid_argument(std::string(name) + " is not set; drivers/process/README.md lists it");
  return value;
}

int positive(const std::string& name, const std::string& text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value <= 0) {
    throw std::invalid_argument(name + ": a positive number is expected, not \"" + text + "\"");
  }
  return value;
}

void take_option(Settings& settings, const std::string& name, const std::string& value) {
  if (name == "--backoff-cap-ms") {
    settings.backoff_cap = Milliseconds(positive(name, value));
  } else if (name == "--publish-ms") {
    settings.publish_interval = Milliseconds(positive(name, value));
  } else if (name == "--https-publish-ms") {
    settings.https_interval = Milliseconds(positive(name, value));
  } else if (name == "--keep-alive-s") {
    settings.keep_alive_s = positive(name, value);
  } else if (name == "--tickets") {
    settings.ticket_file = value;
  } else if (name == "--tls" && (value == "1.2" || value == "1.3")) {
    settings.tls12_only = value == "1.2";
  } else if (name == "--defect" && defect_named(value)) {
    settings.defect = *defect_named(value);
  } else {
    throw std::invalid_argument(name + " " + value + ": not known; boards/process/README.md lists the options");
  }
}

}  // namespace

Settings read_settings(const std::vector<std::string>& arguments) {
  Settings settings;
  settings.endpoint = required("HILMARK_ENDPOINT");
  // Where there is a name server, its word counts.
  if (from_environment("HILMARK_RESOLVER").empty()) {
    settings.connect_address = from_environment("HILMARK_CONNECT_ADDRESS");
  }
  settings.port = required("HILMARK_PORT");
  settings.chain_file = required("HILMARK_CHAIN");
  settings.key_file = required("HILMARK_KEY");
  settings.root_ca_file = required("HILMARK_ROOT_CA");
  settings.claim_chain_file = from_environment("HILMARK_CLAIM_CERT");
  if (!settings.claim_chain_file.empty()) {
    settings.claim_key_file = required("HILMARK_CLAIM_KEY");
    settings.fleet_template = required("HILMARK_FLEET_TEMPLATE");
  }
  settings.client_id = required("HILMARK_CLIENT_ID");
  settings.topic = required("HILMARK_TOPIC");
  settings.ticket_file = settings.key_file + ".tickets";
  if (const std::string cap = from_environment("HILMARK_BACKOFF_CAP_MS"); !cap.empty()) {
    settings.backoff_cap = Milliseconds(positive("HILMARK_BACKOFF_CAP_MS", cap));
  }
  for (std::size_t i = 0; i < arguments.size(); i += 2) {
    if (i + 1 == arguments.size()) throw std::invalid_argument(arguments[i] + ": a value is missing");
    take_option(settings, arguments[i], arguments[i + 1]);
  }
  return settings;
}

}  // namespace openssl_client
