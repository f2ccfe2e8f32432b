// An endpoint for the benches of handshakes, messages and idle connections: one account, one device that it knows and
// that may do anything, on loopback. Usage: hilmark_bench_cloud_endpoint FOLDER. Writes what clients and other servers
// need into the folder, prints its port, and ends with its standard input.
#include <cstdio>
#include <fstream>

#include <poll.h>
#include <unistd.h>

#include "fixtures/cloud/endpoint/endpoint.h"
#include "fixtures/cloud/registry/store.h"

namespace {

using namespace hilmark;

constexpr char all_allowed[] =
    R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*"}]})";

void write(const std::filesystem::path& file, const std::string& text) { std::ofstream(file) << text; }

int serve(const std::filesystem::path& folder) {
  const SystemClock clock;
  EvidenceLog evidence(clock);
  cloud::Registry registry(clock);
  const cloud::Place place{"111111111111", "us-east-1"};
  registry.add_place(place);
  const auto servers = pki::ServerAuthority::make(clock);
  const auto devices = pki::DeviceAuthority::make(clock);
  if (!servers || !devices) return 1;
  const auto device = devices->make_device("unit-1");
  const auto server = servers->issue({.name = registry.endpoint_name(place)});
  if (!device || !server) return 1;
  const auto registered =
      registry.register_certificate_without_ca(place, device->certificate_pem, cloud::CertificateStatus::active);
  if (!registered || !registry.create_policy(place, "all", all_allowed) ||
      !registry.attach_policy(place, "all", registered->id)) {
    return 1;
  }
  write(folder / "name", registry.endpoint_name(place));
  write(folder / "device.pem", device->certificate_pem);
  write(folder / "device_chain.pem", device->certificate_pem + devices->ca_pem());
  write(folder / "device.key", device->private_key_pem);
  write(folder / "authorities.pem", devices->ca_pem() + devices->root_pem());
  write(folder / "server.pem", (*server)->certificate_pem + (*server)->issuers_pem.front());
  write(folder / "server.key", (*server)->private_key_pem);
  cloud::EndpointWorld world{registry, *servers, evidence, clock};
  world.mqtt.rights.of = [&](const cloud::Place& of, const std::string& certificate_id, const std::string& client_id) {
    return registry.rights(of, certificate_id, client_id);
  };
  world.mqtt.rights.generation = [&] { return registry.store().generation(); };
  const auto endpoint = cloud::Endpoint::start({.addresses = {{place.region, "127.0.0.1"}},
                                                .mqtt_port = 0,
                                                .max_connections = 15'000,
                                                .folder = folder,
                                                .handshake_timeout = Milliseconds(600'000)},
                                               world);
  if (!endpoint) {
    std::fprintf(stderr, "%s\n", endpoint.error().message.c_str());
    return 1;
  }
  std::printf("%u\n", (*endpoint)->port(place.region));
  std::fflush(stdout);
  // Evidence goes from here to the reports, as in a run; what is to be measured is the connections.
  pollfd input{STDIN_FILENO, POLLIN, 0};
  while (::poll(&input, 1, 50) == 0) evidence.forget(evidence.newest());
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) {
    std::fprintf(stderr, "usage: hilmark_bench_cloud_endpoint FOLDER\n");
    return 2;
  }
  return serve(arguments[1]);
}
