#include "drivers/unit/command_needs.h"

#include <vector>

#include <fmt/ranges.h>

namespace hilmark {
namespace {

struct Need {
  Capability capability;
  std::vector<const char*> verbs;
};

const std::vector<Need>& needs() {
  static const std::vector<Need> table{
      {Capability::csr, {"client_id", "csr"}},
      // An installation ends with the home endpoint, and with the order to connect.
      {Capability::install,
       {"client_id", "trust_anchor", "certificate", "endpoint", "connect_address", "port", "connect"}},
      {Capability::endpoint, {"endpoint", "connect_address", "port"}},
  };
  return table;
}

}  // namespace

Result<void> check_verbs(const CommandSet& commands, const Capabilities& capabilities, bool has_settings) {
  std::vector<std::string> missing;
  const auto want = [&](const char* verb, std::string_view why) {
    if (!commands.has(verb)) missing.push_back(fmt::format("`{}` ({})", verb, why));
  };
  want("echo", "without it nothing that it says can be believed");
  for (const Need& need : needs()) {
    if (capabilities.count(need.capability) == 0) continue;
    for (const char* verb : need.verbs) want(verb, fmt::format("for capability {}", name_of(need.capability)));
  }
  const bool gets_key = capabilities.count(Capability::install) > 0 && capabilities.count(Capability::csr) == 0;
  if (gets_key) want("private_key", "for capability install without csr");
  if (has_settings) want("setting", "for the board file's settings");
  if (missing.empty() && !commands.covers_line_breaks()) {
    for (const char* verb : {"csr", "trust_anchor", "certificate", "private_key"}) {
      if (!commands.has(verb)) continue;
      return fail(ErrorKind::usage,
                  "its console's `escapes` do not cover \"\\n\", which the PEM of `{}` has in each line; add it to the "
                  "command file",
                  verb);
    }
  }
  if (missing.empty()) return {};
  return fail(ErrorKind::usage, "its console's commands lack {}; add them to the command file, or drop the capability",
              fmt::join(missing, ", "));
}

}  // namespace hilmark
