#include "harness/serve/ready_file.h"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <sys/stat.h>

#include "harness/base/bytes.h"

namespace hilmark::serve {
namespace {

boost::json::object region_object(const ReadyRegion& region) {
  boost::json::object endpoints;
  for (const auto& [account, name] : region.endpoints) endpoints[account] = name;
  boost::json::object object{
      {"address", region.address}, {"mqtt", region.mqtt}, {"https", region.https}, {"endpoints", std::move(endpoints)}};
  if (region.alpn) object["alpn"] = *region.alpn;
  return object;
}

}  // namespace

Result<void> write_ready_file(const std::filesystem::path& path, const ReadyFacts& facts) {
  boost::json::array accounts;
  for (const AccountFacts& account : facts.accounts) {
    accounts.push_back(boost::json::object{
        {"id", account.id}, {"access_key", account.access_key}, {"secret_key", account.secret_key}});
  }
  boost::json::object regions;
  for (const auto& [name, region] : facts.regions) regions[name] = region_object(region);
  const boost::json::object ready{{"version", 1},
                                  {"control", facts.control},
                                  {"root_ca", facts.root_ca.string()},
                                  {"accounts", std::move(accounts)},
                                  {"regions", std::move(regions)}};
  const auto written = write_file(path, boost::json::serialize(ready) + "\n", S_IRUSR | S_IWUSR);
  if (!written) return fail(ErrorKind::usage, "--ready-file: {}", written.error().message);
  return {};
}

}  // namespace hilmark::serve
