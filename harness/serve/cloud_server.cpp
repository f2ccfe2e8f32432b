#include "harness/serve/cloud_server.h"

#include <csignal>

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixtures/cloud/broker/broker_program.h"
#include "fixtures/cloud/control_plane/http_server.h"
#include "fixtures/cloud/endpoint/endpoint.h"
#include "fixtures/cloud/endpoint/endpoint_data_plane.h"
#include "fixtures/cloud/endpoint/fleet_desk.h"
#include "fixtures/cloud/endpoint/pending_activator.h"
#include "fixtures/cloud/registry/domains.h"
#include "fixtures/cloud/registry/kept_server_authority.h"
#include "fixtures/cloud/registry/store.h"
#include "harness/base/bytes.h"
#include "harness/base/evidence.h"
#include "harness/base/evidence_file.h"
#include "harness/base/temporary_folder.h"
#include "harness/serve/connection_story.h"
#include "harness/serve/jitr_hook.h"
#include "harness/serve/ready_file.h"
#include "harness/serve/serve_addresses.h"
#include "harness/serve/serve_config.h"

namespace hilmark::serve {
namespace {

constexpr std::size_t kept_evidence = 1000;  // it is told as it comes; nobody looks back

sigset_t ending_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  return signals;
}

class CloudServer {
 public:
  CloudServer(const ServeOptions& options, ServeConfig config, std::map<std::string, std::string> addresses,
              TemporaryFolder folder, EvidenceFile events, std::string mosquitto)
      : options_(options),
        config_(std::move(config)),
        addresses_(std::move(addresses)),
        folder_(std::move(folder)),
        events_(std::move(events)),
        mosquitto_(std::move(mosquitto)),
        evidence_(clock_, kept_evidence) {}

  ~CloudServer() {
    // Nobody listens any more to what the others say while they end.
    evidence_.on_added([](const EvidencePtr&) {});
  }

  Result<void> start() {
    auto store = cloud::Store::open(options_.state, clock_);
    if (!store) return fail(store.error());
    try {
      if (auto read = open_registry(std::move(*store)); !read) return read;
    } catch (const std::exception& error) {
      return fail(ErrorKind::usage, "{}", cloud::Store::explain(options_.state.string(), error));
    }
    evidence_.on_added([this](const EvidencePtr& piece) { hear(*piece); });
    verifier_.emplace(signers(), clock_);
    start_activator();
    if (!config_.jitr_hook.empty()) {
      if (auto started = start_hook(); !started) return started;
    }
    if (auto started = start_endpoint(); !started) return started;
    if (auto started = start_control(); !started) return started;
    const auto root = folder_.path() / "root_ca.pem";
    if (auto written = write_file(root, servers_->root_pem(), S_IRUSR | S_IWUSR); !written) return written;
    tell(root);
    if (options_.ready_file.empty()) return {};
    return write_ready_file(options_.ready_file, ready_facts(root));
  }

 private:
  Result<void> open_registry(std::unique_ptr<cloud::Store> store) {
    registry_ = std::make_unique<cloud::Registry>(std::move(store));
    auto servers = cloud::kept_server_authority(registry_->store(), clock_);
    if (!servers) return fail(servers.error());
    servers_.emplace(std::move(*servers));
    for (const AccountFacts& account : config_.accounts) {
      for (const std::string& region : config_.regions) registry_->add_place({account.id, region});
      for (const auto& [region, name] : account.names) registry_->assign_name(name, {account.id, region});
    }
    return {};
  }

  Result<void> start_endpoint() {
    cloud::EndpointSettings settings;
    settings.addresses = addresses_;
    settings.mqtt_port = options_.mqtt;
    settings.https_port = options_.https;
    settings.alpn_port = options_.alpn;
    settings.rules.rate_limits = config_.rate_limits;
    settings.folder = folder_.path();
    settings.mosquitto = mosquitto_;
    settings.switches = {.route_by_certificate = config_.route_by_certificate, .lenient = config_.lenient};
    auto endpoint = cloud::Endpoint::start(settings, world());
    if (!endpoint) return fail(endpoint.error());
    endpoint_ = std::move(*endpoint);
    data_.emplace(*endpoint_);
    if (config_.refuse_by_alert) endpoint_->set_deviation({.refuse = cloud::RefuseForm::alert});
    registry_->on_left_active(
        [this](const cloud::Place& place, const std::string& id) { endpoint_->drop_certificate(place, id); });
    return {};
  }

  [[nodiscard]] cloud::EndpointWorld world() {
    using cloud::Place;
    cloud::EndpointWorld world{*registry_, *servers_, evidence_, clock_};
    world.https.verify = [this](const cloud::PublishRequest& request, const std::string& region) {
      return place_of_signer(request, region);
    };
    world.security_policy_of = [this](const std::string& region, const std::string& name) {
      return security_policy_of(region, name);
    };
    world.mqtt.rights = {
        .of = [this](const Place& place, const std::string& certificate_id,
                     const std::string& client_id) { return registry_->rights(place, certificate_id, client_id); },
        .generation =
            [this] {
              // Claims of fleet provisioning end by time, without a change of the books: rights are read anew each
              // second.
              const auto second = static_cast<std::uint64_t>(registry_->store().now_ms() / 1000);
              return (second << 32U) ^ registry_->store().generation();
            }};
    world.mqtt.fleet = [this](const Place& place, const std::string& topic, const std::string& payload) {
      return cloud::answer_fleet_request(fleet(), place, topic, payload);
    };
    world.mqtt.on_pending = [this](const Place& place, const std::string& certificate_id, const std::string& ca_id) {
      activator_->on_pending(place, certificate_id);
      if (hook_) hook_->add({place, certificate_id, ca_id});
    };
    return world;
  }

  /// Of the account whose name in the region it is.
  [[nodiscard]] std::string security_policy_of(const std::string& region, const std::string& name) {
    const auto owner = registry_->account_of_name(region, name);
    return owner ? registry_->domains().security_policy_of({*owner, region}, name) : std::string();
  }

  [[nodiscard]] cloud::Answer<cloud::Place> place_of_signer(const cloud::PublishRequest& request,
                                                            const std::string& region) {
    cloud::HttpRequestView view{.method = request.method, .body = request.body};
    const std::string_view target = request.target;
    const std::size_t question = target.find('?');
    view.path = target.substr(0, question);
    if (question != std::string_view::npos) view.query = target.substr(question + 1);
    for (const auto& [name, value] : request.headers) view.headers.push_back({name, value});
    const auto signer = verifier_->verify(view);
    if (!signer) return cloud::refuse(signer.error());
    return cloud::Place{signer->account, signer->region.empty() ? region : signer->region};
  }

  [[nodiscard]] cloud::FleetOperations fleet() {
    using cloud::Place;
    return {.create_keys = [this](const Place& place) { return cloud::fleet_create_keys(*registry_, place); },
            .create_from_csr =
                [this](const Place& place, const std::string& csr) {
                  return cloud::fleet_create_from_csr(*registry_, place, csr);
                },
            .provision =
                [this](const Place& place, const cloud::FleetRequest& request) {
                  return cloud::fleet_provision(*registry_, place, request);
                }};
  }

  [[nodiscard]] cloud::SignerSettings signers() const {
    cloud::SignerSettings settings;
    for (const AccountFacts& account : config_.accounts) {
      settings.keys[account.access_key] = {account.secret_key, account.id};
    }
    settings.regions.insert(config_.regions.begin(), config_.regions.end());
    return settings;
  }

  Result<void> start_control() {
    cloud::ControlPlaneSettings settings;
    settings.address = options_.listen;
    settings.port = options_.control;
    settings.signers = signers();
    auto control =
        cloud::ControlPlane::start(settings, {*registry_, *data_, evidence_, clock_}, cloud::all_operations());
    if (!control) return fail(control.error());
    control_ = std::move(*control);
    return {};
  }

  void start_activator() {
    cloud::PendingActivator::Settings settings;
    if (options_.activates_after) {
      settings.delay = *options_.activates_after;
      settings.when =
          settings.delay > Milliseconds{0} ? cloud::RigActivates::after_delay : cloud::RigActivates::at_once;
    }
    activator_ = std::make_unique<cloud::PendingActivator>(
        settings,
        cloud::PendingActivator::Means{
            .later = [this](Milliseconds delay,
                            std::function<void()> what) { endpoint_->call_later(delay, std::move(what)); },
            .activate = [this](const cloud::Place& place,
                               const std::string& id) { return kept([&] { return activate(place, id); }); },
            .on_failure = [](const Error& error) { spdlog::error("not activated: {}", printable(error.message)); }});
  }

  /// What `work` answers; where the state's disk fails, an error that says so.
  template <class Work>
  Result<void> kept(Work work) {
    try {
      return work();
    } catch (const std::exception& error) {
      return fail(ErrorKind::rig, "{}", registry_->store().explain(error));
    }
  }

  Result<void> activate(const cloud::Place& place, const std::string& certificate_id) {
    auto done = cloud::activate_with_all_rights(*registry_, place, certificate_id);
    if (done) spdlog::info("account {} in {}: certificate {} activated", place.account, place.region, certificate_id);
    return done;
  }

  Result<void> start_hook() {
    auto hook =
        JitrHook::start({.command = config_.jitr_hook,
                         .environment = [this](const cloud::Place& place) { return cli_environment(place); },
                         .report =
                             [](JitrHook::Told told, const std::string& line) {
                               spdlog::log(told == JitrHook::Told::dropped ? spdlog::level::warn : spdlog::level::info,
                                           "{}", printable(line));
                             }});
    if (!hook) return fail(hook.error());
    hook_ = std::move(*hook);
    return {};
  }

  [[nodiscard]] std::string control_url() const {
    return fmt::format("http://{}:{}", options_.listen, control_->port());
  }

  [[nodiscard]] std::map<std::string, std::string> cli_environment(const cloud::Place& place) const {
    std::map<std::string, std::string> environment = {{"AWS_DEFAULT_REGION", place.region},
                                                      {"AWS_ENDPOINT_URL", control_url()}};
    for (const AccountFacts& account : config_.accounts) {
      if (account.id != place.account) continue;
      environment["AWS_ACCESS_KEY_ID"] = account.access_key;
      environment["AWS_SECRET_ACCESS_KEY"] = account.secret_key;
    }
    return environment;
  }

  /// On the thread that saw it.
  void hear(const Evidence& piece) {
    if (const auto written = events_.write(piece); !written) spdlog::error("{}", printable(written.error().message));
    if (const auto line = stories_.add(piece)) {
      spdlog::log(line->bad ? spdlog::level::warn : spdlog::level::info, "{}", line->text);
    }
    if (piece.source == "cloud" && piece.kind == "api_call") tell_call(piece);
    if (piece.kind == "api_failure" || piece.kind == "endpoint_failure") {
      spdlog::error("{}: {}", piece.text(piece.kind == "api_failure" ? "operation" : "of"), piece.text("why"));
    }
    if (piece.kind == "broker_died") {
      spdlog::error("the MQTT broker of account {} in {} died: {}", piece.text("account"), piece.text("region"),
                    piece.text("why"));
    }
  }

  static void tell_call(const Evidence& piece) {
    const std::string error = piece.text("error");
    spdlog::log(error.empty() ? spdlog::level::info : spdlog::level::warn, "{} {} {}: {}{}{}, request {}",
                piece.text("operation").empty() ? "no operation" : piece.text("operation"), piece.text("account"),
                piece.text("region"), piece.number_of("status"), error.empty() ? "" : " ", error,
                piece.text("request_id"));
  }

  void tell(const std::filesystem::path& root) const {
    spdlog::info("API: {} (signing keys: {})", control_url(), fmt::join(access_keys(), ", "));
    for (const auto& [region, address] : addresses_) {
      spdlog::info("{}: MQTT {}:{}, HTTPS publish {}:{}", region, address, endpoint_->port(region), address,
                   endpoint_->port(region, cloud::Listener::https));
      for (const AccountFacts& account : config_.accounts) {
        spdlog::info("  account {}: {}", account.id, registry_->endpoint_name({account.id, region}));
      }
    }
    spdlog::info("the endpoint's certificates hang from {}", root.string());
    if (options_.state.empty()) spdlog::info("nothing outlives this process; --state FILE keeps it");
  }

  [[nodiscard]] std::vector<std::string> access_keys() const {
    std::vector<std::string> keys;
    for (const AccountFacts& account : config_.accounts) keys.push_back(account.access_key + " of " + account.id);
    return keys;
  }

  [[nodiscard]] ReadyFacts ready_facts(const std::filesystem::path& root) const {
    ReadyFacts facts{.control = control_url(), .root_ca = root, .accounts = config_.accounts, .regions = {}};
    for (const auto& [region, address] : addresses_) {
      ReadyRegion& ready = facts.regions[region];
      ready.address = address;
      ready.mqtt = endpoint_->port(region);
      ready.https = endpoint_->port(region, cloud::Listener::https);
      if (options_.alpn) ready.alpn = endpoint_->port(region, cloud::Listener::alpn);
      for (const AccountFacts& account : config_.accounts) {
        ready.endpoints[account.id] = registry_->endpoint_name({account.id, region});
      }
    }
    return facts;
  }

  const ServeOptions& options_;
  const ServeConfig config_;
  const std::map<std::string, std::string> addresses_;
  const SystemClock clock_;
  TemporaryFolder folder_;
  EvidenceFile events_;
  const std::string mosquitto_;
  ConnectionStories stories_;
  EvidenceLog evidence_;
  std::optional<pki::ServerAuthority> servers_;
  std::unique_ptr<cloud::Registry> registry_;
  std::optional<cloud::SignatureVerifier> verifier_;  // on the endpoint's thread
  std::unique_ptr<cloud::PendingActivator> activator_;
  std::unique_ptr<JitrHook> hook_;
  std::unique_ptr<cloud::Endpoint> endpoint_;
  std::optional<cloud::EndpointDataPlane> data_;
  std::unique_ptr<cloud::ControlPlane> control_;
};

void set_up_log() {
  spdlog::set_default_logger(spdlog::stderr_color_mt("cloud"));
  spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%e %^%l%$ %v");
}

}  // namespace

Result<int> serve_cloud(const ServeOptions& options) {
  auto config = options.config.empty() ? ServeConfig::usual() : read_serve_config(options.config);
  if (!config) return fail(config.error());
  auto addresses = plan_addresses(*config, options.listen);
  if (!addresses) return fail(addresses.error());
  auto mosquitto = cloud::find_broker_program();
  if (!mosquitto) return fail(mosquitto.error());
  auto events = EvidenceFile::open(options.events);
  if (!events) return fail(events.error(), "--events");
  auto folder = TemporaryFolder::make();
  if (!folder) return fail(folder.error());
  // An old one must not be taken for this cloud's.
  std::error_code ignored;
  if (!options.ready_file.empty()) std::filesystem::remove(options.ready_file, ignored);
  set_up_log();
  // Blocked before the first thread, so that it is this one that is told.
  const sigset_t signals = ending_signals();
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  CloudServer server(options, std::move(*config), std::move(*addresses), std::move(*folder), std::move(*events),
                     std::move(*mosquitto));
  if (auto started = server.start(); !started) return fail(started.error());
  int signal = 0;
  ::sigwait(&signals, &signal);
  spdlog::info("{}: the cloud ends", signal == SIGINT ? "SIGINT" : "SIGTERM");
  if (!options.ready_file.empty()) std::filesystem::remove(options.ready_file, ignored);
  return 0;
}

}  // namespace hilmark::serve
