// What the program is told: by its environment (the rig's variables) and by its arguments.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "boards/process/openssl_client/bytes.h"
#include "boards/process/openssl_client/defects.h"

namespace openssl_client {

struct Settings {
  std::string endpoint;         ///< the name to dial, to send and to verify
  std::string connect_address;  ///< dialled where the name does not resolve; may be empty
  std::string port = "8883";
  std::string chain_file;  ///< own certificate, then its issuers
  std::string key_file;
  std::string root_ca_file;
  // A claim, by which it gets what chain_file and key_file name where they are not there; empty: it has none.
  std::string claim_chain_file;
  std::string claim_key_file;
  std::string fleet_template;
  std::string client_id;
  std::string topic;
  std::string ticket_file;  ///< kept over restarts; beside the key unless told
  Milliseconds backoff_cap{2000};
  Milliseconds publish_interval{500};
  std::optional<Milliseconds> https_interval;  ///< none: nothing is published over HTTPS
  int keep_alive_s = 30;
  bool tls12_only = false;
  Defect defect = Defect::none;
};

/// Throws std::invalid_argument that says what is wrong, and what is expected.
[[nodiscard]] Settings read_settings(const std::vector<std::string>& arguments);

}  // namespace openssl_client
