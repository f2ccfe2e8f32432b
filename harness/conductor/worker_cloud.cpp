#include "harness/conductor/worker_cloud.h"

#include <filesystem>

namespace hilmark {

Result<cloud::CloudConfig> worker_cloud(const WorkerOrders& orders, const World& world) {
  const std::filesystem::path folder = orders.folder;
  cloud::CloudConfig config;
  config.accounts = orders.accounts;
  config.addresses = listen_addresses(orders.unit, orders.regions);
  config.mqtt_port = mqtt_port_for(orders.unit, world);
  config.folder = folder / "cloud";
  config.mosquitto = orders.mosquitto;
  for (const std::string& region : orders.regions) {
    if (config.addresses.count(region) > 0) config.regions.push_back(region);
  }
  if (auto free = check_ports_free(config.addresses, config.mqtt_port); !free) return fail(free.error());
  for (const char* name : {"cloud", "unit"}) {
    std::error_code error;
    std::filesystem::create_directory(folder / name, error);
    if (!error) std::filesystem::permissions(folder / name, std::filesystem::perms::owner_all, error);
    if (error) return fail(ErrorKind::rig, "cannot make {}: {}", (folder / name).string(), error.message());
  }
  return config;
}

}  // namespace hilmark
