#include "harness/serve/cloud_server.h"

#include <csignal>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <fcntl.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixtures/cloud/control_plane/http_server.h"
#include "fixtures/cloud/endpoint/endpoint.h"
#include "fixtures/cloud/endpoint/endpoint_data_plane.h"
#include "fixtures/cloud/endpoint/fleet_desk.h"
#include "fixtures/cloud/endpoint/pending_activator.h"
#include "fixtures/cloud/registry/domains.h"
#include "fixtures/cloud/registry/store.h"
#include "harness/base/bytes.h"
#include "harness/base/evidence.h"
#include "harness/base/temporary_folder.h"
#include "harness/base/unique_fd.h"
#include "harness/serve/connection_story.h"
#include "harness/serve/jitr_hook.h"
#include "harness/serve/serve_addresses.h"
#include "harness/serve/serve_config.h"

namespace hilmark::serve {
namespace {

constexpr std::size_t kept_evidence = 1000;  // it is told as it comes; nobody looks back
constexpr char allow_all_policy[] = "hilmark-rig-activated";
constexpr char policy_document[] =
    R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*"}]})";
constexpr char authority_table[] =
    "CREATE TABLE IF NOT EXISTS server_authority (position INTEGER PRIMARY KEY, certificate TEXT, key TEXT)";

/// The endpoint's authority: that of the state, else a new one, which is kept there.
Result<pki::ServerAuthority> server_authority(cloud::Store& store, const Clock& clock) {
  store.make_tables(authority_table);
  pki::KeptAuthority kept;
  {
    const cloud::Store::Read lock(store);
    auto rows = store.query("SELECT certificate, key FROM server_authority ORDER BY position");
    while (rows.step()) kept.line.push_back({rows.text(0), rows.text(1)});
  }
  if (!kept.line.empty()) return pki::ServerAuthority::restore(clock, kept);
  auto made = pki::ServerAuthority::make(clock);
  if (!made) return made;
  cloud::Store::Write write(store);
  int position = 0;
  for (const auto& [certificate, key] : made->keep().line) {
    store.run("INSERT INTO server_authority VALUES (?, ?, ?)", position++, certificate, key);
  }
  write.commit();
  return made;
}

/// `--events`: every piece of evidence as a line. Thread-safe, since the evidence log calls one at a time.
class EventFile {
 public:
  static Result<EventFile> open(const std::filesystem::path& path) {
    EventFile file;
    if (path.empty()) return file;
    file.fd_ = UniqueFd(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, S_IRUSR | S_IWUSR));
    if (!file.fd_) return fail(ErrorKind::usage, "--events {}: {}", path.string(), errno_text(errno));
    return file;
  }
  void write(const Evidence& piece) {
    if (!fd_) return;
    const boost::json::object event{{"v", 1},
                                    {"type", "evidence"},
                                    {"time", iso8601(piece.wall)},
                                    {"number", piece.number},
                                    {"source", piece.source},
                                    {"kind", piece.kind},
                                    {"connection", piece.connection},
                                    {"data", piece.data}};
    const std::string line = boost::json::serialize(event) + "\n";
    if (::write(fd_.get(), line.data(), line.size()) < 0) {
      spdlog::error("the events file cannot be written: {}; no more is written there", errno_text(errno));
      fd_ = UniqueFd();
    }
  }

 private:
  UniqueFd fd_;
};

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
              TemporaryFolder folder, EventFile events)
      : options_(options),
        config_(std::move(config)),
        addresses_(std::move(addresses)),
        folder_(std::move(folder)),
        events_(std::move(events)),
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
    if (!config_.jitr_hook.empty()) start_hook();
    if (auto started = start_endpoint(); !started) return started;
    if (auto started = start_control(); !started) return started;
    const auto root = folder_.path() / "root_ca.pem";
    if (auto written = write_file(root, servers_->root_pem(), S_IRUSR | S_IWUSR); !written) return written;
    tell(root);
    return write_ready_file(root);
  }

 private:
  Result<void> open_registry(std::unique_ptr<cloud::Store> store) {
    registry_ = std::make_unique<cloud::Registry>(std::move(store));
    auto servers = server_authority(registry_->store(), clock_);
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

  /// A policy that allows everything, and ACTIVE.
  Result<void> activate(const cloud::Place& place, const std::string& certificate_id) {
    if (const auto made = registry_->create_policy(place, allow_all_policy, policy_document);
        !made && made.error().exception != "ResourceAlreadyExistsException") {
      return fail(made.error().as_error());
    }
    if (const auto attached = registry_->attach_policy(place, allow_all_policy, certificate_id); !attached) {
      return fail(attached.error().as_error());
    }
    const auto active = registry_->update_certificate(place, certificate_id, cloud::CertificateStatus::active);
    if (!active) return fail(active.error().as_error());
    spdlog::info("account {} in {}: certificate {} activated", place.account, place.region, certificate_id);
    return {};
  }

  void start_hook() {
    hook_ = std::make_unique<JitrHook>(
        JitrHook::Settings{.command = config_.jitr_hook,
                           .environment = [this](const cloud::Place& place) { return cli_environment(place); },
                           .report = [](const std::string& line) { spdlog::info("{}", printable(line)); }});
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
    events_.write(piece);
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

  [[nodiscard]] Result<void> write_ready_file(const std::filesystem::path& root) const {
    if (options_.ready_file.empty()) return {};
    boost::json::array accounts;
    for (const AccountFacts& account : config_.accounts) {
      accounts.push_back(boost::json::object{
          {"id", account.id}, {"access_key", account.access_key}, {"secret_key", account.secret_key}});
    }
    boost::json::object regions;
    for (const auto& [region, address] : addresses_) {
      boost::json::object endpoints;
      for (const AccountFacts& account : config_.accounts) {
        endpoints[account.id] = registry_->endpoint_name({account.id, region});
      }
      boost::json::object facts{{"address", address},
                                {"mqtt", endpoint_->port(region)},
                                {"https", endpoint_->port(region, cloud::Listener::https)},
                                {"endpoints", endpoints}};
      if (options_.alpn) facts["alpn"] = endpoint_->port(region, cloud::Listener::alpn);
      regions[region] = std::move(facts);
    }
    const boost::json::object ready{{"version", 1},
                                    {"control", control_url()},
                                    {"root_ca", root.string()},
                                    {"accounts", std::move(accounts)},
                                    {"regions", std::move(regions)}};
    // By rename, so that whoever waits for it finds it whole; with keys in it, it is its owner's alone.
    std::filesystem::path beside = options_.ready_file;
    beside += ".new";
    if (auto written = write_file(beside, boost::json::serialize(ready) + "\n", S_IRUSR | S_IWUSR); !written) {
      return fail(written.error(), "--ready-file");
    }
    std::error_code error;
    std::filesystem::rename(beside, options_.ready_file, error);
    if (error) return fail(ErrorKind::usage, "--ready-file {}: {}", options_.ready_file.string(), error.message());
    return {};
  }

  const ServeOptions& options_;
  const ServeConfig config_;
  const std::map<std::string, std::string> addresses_;
  const SystemClock clock_;
  TemporaryFolder folder_;
  EventFile events_;
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
  auto events = EventFile::open(options.events);
  if (!events) return fail(events.error());
  auto folder = TemporaryFolder::make();
  if (!folder) return fail(folder.error());
  // An old one must not be taken for this cloud's.
  std::error_code ignored;
  if (!options.ready_file.empty()) std::filesystem::remove(options.ready_file, ignored);
  set_up_log();
  // Blocked before the first thread, so that it is this one that is told.
  const sigset_t signals = ending_signals();
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  CloudServer server(options, std::move(*config), std::move(*addresses), std::move(*folder), std::move(*events));
  if (auto started = server.start(); !started) return fail(started.error());
  int signal = 0;
  ::sigwait(&signals, &signal);
  spdlog::info("{}: the cloud ends", signal == SIGINT ? "SIGINT" : "SIGTERM");
  if (!options.ready_file.empty()) std::filesystem::remove(options.ready_file, ignored);
  return 0;
}

}  // namespace hilmark::serve
