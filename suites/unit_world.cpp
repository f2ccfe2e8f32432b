#include "suites/unit_world.h"

namespace hilmark::suites {
namespace {

/// Null where the unit has no network of its own.
Result<std::unique_ptr<network::Resolver>> start_resolver(const RunSettings& settings, cloud::Cloud& cloud,
                                                          EvidenceLog& evidence) {
  if (settings.resolver.empty()) return nullptr;
  auto resolver = network::Resolver::start({.address = settings.resolver}, evidence);
  if (!resolver) return fail(resolver.error());
  for (const std::string& account : settings.cloud.accounts) {
    for (const std::string& region : settings.cloud.regions) {
      const std::string name = cloud.account({account, region}).endpoint_name();
      (*resolver)->add_name(name, {.address = cloud.listen_address(region)});
    }
  }
  return resolver;
}

}  // namespace

UnitWorld::UnitWorld(pki::ServerAuthority servers, std::shared_ptr<const pki::DeviceAuthority> devices,
                     EvidenceLog& evidence, const Clock& clock)
    : evidence_(evidence), servers_(std::move(servers)), devices_(std::move(devices)), keys_(evidence, clock) {
  // No private key gets from a console into evidence.
  evidence_.screen_speech([this](std::string_view said) { return keys_.console_line(said); });
}

UnitWorld::~UnitWorld() {
  evidence_.on_added({});
  evidence_.screen_speech({});
}

Result<void> UnitWorld::open(Unit& unit, const RunSettings& settings, const Clock& clock) {
  cloud::CloudConfig config = settings.cloud;
  config.listen = [this](const cloud::Heard& heard) { keys_.heard(heard); };
  auto cloud = cloud::Cloud::start(config, servers_, evidence_, clock);
  if (!cloud) return fail(cloud.error());
  cloud_ = std::move(*cloud);
  auto resolver = start_resolver(settings, *cloud_, evidence_);
  if (!resolver) return fail(resolver.error());
  resolver_ = std::move(*resolver);
  bench_.emplace(BenchParts{unit, settings, evidence_, clock, *cloud_, servers_, *devices_, keys_, resolver_.get()});
  return {};
}

Result<std::unique_ptr<UnitWorld>> UnitWorld::start(Unit& unit, const RunSettings& settings, EvidenceLog& evidence,
                                                    const Clock& clock) {
  auto servers = cloud::server_authority_of(settings.cloud.state, clock);
  if (!servers) return fail(servers.error());
  std::shared_ptr<const pki::DeviceAuthority> devices = settings.devices;
  if (devices == nullptr) {
    auto made = pki::DeviceAuthority::make(clock);
    if (!made) return fail(made.error(), "making the device authority");
    devices = std::make_shared<const pki::DeviceAuthority>(std::move(*made));
  }
  std::unique_ptr<UnitWorld> world(new UnitWorld(std::move(*servers), std::move(devices), evidence, clock));
  if (auto opened = world->open(unit, settings, clock); !opened) return fail(opened.error());
  return world;
}

}  // namespace hilmark::suites
