// Where each region of a cloud listens: a connection tells its region by the address on which it arrived.
#pragma once

#include <map>
#include <string>

#include "harness/serve/serve_config.h"

namespace hilmark::serve {

/// Region -> IPv4 address: the configured one, else `listen` for the first region and, on the loopback, the addresses
/// after it for the others. Errors (usage): no IPv4 address, two regions on one, a region off the loopback without one.
[[nodiscard]] Result<std::map<std::string, std::string>> plan_addresses(const ServeConfig& config,
                                                                        const std::string& listen);

}  // namespace hilmark::serve
