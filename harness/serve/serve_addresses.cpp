#include "harness/serve/serve_addresses.h"

#include <arpa/inet.h>

#include "harness/base/bytes.h"

namespace hilmark::serve {
namespace {

constexpr std::uint32_t loopback_mask = 0xff000000;
constexpr std::uint32_t loopback_net = 0x7f000000;

Result<std::uint32_t> number_of(const std::string& address) {
  in_addr parsed{};
  if (::inet_pton(AF_INET, address.c_str(), &parsed) != 1) {
    return fail(ErrorKind::usage, "{} is no IPv4 address", printable(address));
  }
  return ntohl(parsed.s_addr);
}

std::string text_of(std::uint32_t address) {
  const in_addr network{htonl(address)};
  char text[INET_ADDRSTRLEN] = "";
  ::inet_ntop(AF_INET, &network, text, sizeof text);
  return text;
}

}  // namespace

Result<std::map<std::string, std::string>> plan_addresses(const ServeConfig& config, const std::string& listen) {
  const auto first = number_of(listen);
  if (!first) return fail(first.error(), "--listen");
  const bool on_loopback = (*first & loopback_mask) == loopback_net;
  std::map<std::string, std::string> addresses;
  std::map<std::string, std::string> owners;
  std::uint32_t next = *first;
  for (const std::string& region : config.regions) {
    const auto configured = config.addresses.find(region);
    std::string address = text_of(next);
    if (configured != config.addresses.end()) {
      address = configured->second;
      if (const auto parsed = number_of(address); !parsed) return fail(parsed.error(), "addresses: {}", region);
    } else if (next != *first && !on_loopback) {
      return fail(ErrorKind::usage,
                  "region {} has no address to listen on: off the loopback each region needs one under `addresses` in "
                  "--config, or there is one region alone",
                  region);
    } else {
      ++next;
    }
    if (const auto [owner, fresh] = owners.emplace(address, region); !fresh) {
      return fail(ErrorKind::usage, "regions {} and {} would both listen on {}; give each an address of its own",
                  owner->second, region, address);
    }
    addresses[region] = address;
  }
  return addresses;
}

}  // namespace hilmark::serve
