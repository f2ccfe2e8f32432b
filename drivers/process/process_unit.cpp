#include "drivers/process/process_unit.h"

#include "drivers/console/console_recorder.h"
#include "drivers/process/process_keeper.h"

extern char** environ;

namespace hilmark {
namespace {

constexpr std::string_view end_of_certificate = "-----END CERTIFICATE-----";

/// The rig's own environment, less what belongs to it alone and what an outer rig may have left.
std::map<std::string, std::string> inherited_environment() {
  std::map<std::string, std::string> result;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view line(*entry);
    const std::size_t equals = line.find('=');
    const std::string_view name = line.substr(0, equals);
    if (equals == std::string_view::npos || name == "LD_PRELOAD" || name == "UMOCKDEV_DIR" ||
        name.starts_with("HILMARK_"))
      continue;
    result.emplace(name, line.substr(equals + 1));
  }
  return result;
}

std::string first_certificate(const std::string& chain) {
  const std::size_t end = chain.find(end_of_certificate);
  return end == std::string::npos ? chain : chain.substr(0, end + end_of_certificate.size()) + "\n";
}

class ProcessUnit final : public Unit {
 public:
  ProcessUnit(ProcessUnitConfig config, const Clock& clock, EvidenceLog& evidence)
      : config_(std::move(config)), evidence_(evidence), recorder_(clock, evidence) {}

  Result<void> begin() {
    auto keeper = ProcessKeeper::make(
        {[this](const std::string& line) { on_line(line); }, [this](const ExitStatus& status) { on_ended(status); }});
    if (!keeper) return fail(keeper.error());
    keeper_ = std::move(*keeper);
    return {};
  }

  [[nodiscard]] const UnitInfo& info() const override { return config_.info; }

  Result<FlashReport> flash(const FirmwareImage&, const Progress&) override { return fail(cannot("be flashed")); }
  Result<Bytes> read_flash(std::uint32_t, std::size_t) override { return fail(cannot("be read")); }
  Result<std::string> request_csr(const std::string&) override {
    return fail(cannot("make a CSR; it is given its key"));
  }

  Result<void> start() override {
    wanted_ = true;
    return keeper_->running() ? Result<void>() : launch(config_.stop_grace);
  }
  Result<void> connect() override { return start(); }

  Result<void> reset() override {
    evidence_.add("rig", "reset", {{"by", "restart"}});
    wanted_ = true;
    return launch(config_.stop_grace);
  }
  Result<void> power_cycle() override {
    evidence_.add("rig", "power_cut", {});
    wanted_ = true;
    return launch(Milliseconds{0});
  }

  Result<void> install(const IdentityBundle& identity) override {
    evidence_.add("rig", "install",
                  {{"client_id", identity.client_id},
                   {"certificate_chain", identity.certificate_chain},
                   {"trust_anchor", identity.trust_anchor}});
    // One with a claim may be about to put an identity where this one goes.
    if (!claim_template_.empty()) keeper_->stop(config_.stop_grace);
    claim_template_.clear();
    return install_files({{"certificate.pem", first_certificate(identity.certificate_chain)},
                          {"chain.pem", identity.certificate_chain},
                          {"root_ca.pem", identity.trust_anchor},
                          {"key.pem", identity.private_key}},
                         identity.client_id);
  }

  Result<void> install_claim(const ClaimBundle& claim) override {
    evidence_.add("rig", "install_claim",
                  {{"client_id", claim.client_id},
                   {"certificate_chain", claim.certificate_chain},
                   {"trust_anchor", claim.trust_anchor},
                   {"template", claim.template_name}});
    keeper_->stop(config_.stop_grace);
    for (const char* own : {"certificate.pem", "chain.pem", "key.pem"}) {
      std::error_code error;
      std::filesystem::remove(config_.files / own, error);
      if (error) return fail(ErrorKind::rig, "{}: forgetting {}: {}", config_.info.id, own, error.message());
    }
    claim_template_ = claim.template_name;
    return install_files({{"claim_chain.pem", claim.certificate_chain},
                          {"root_ca.pem", claim.trust_anchor},
                          {"claim_key.pem", claim.private_key}},
                         claim.client_id);
  }

  Result<void> set_endpoint(const EndpointAddress& endpoint) override {
    evidence_.add("rig", "set_endpoint",
                  {{"name", endpoint.name},
                   {"connect_address", endpoint.connect_address},
                   {"port", endpoint.port},
                   {"resolver", endpoint.resolver}});
    endpoint_ = endpoint;
    return wanted_ ? launch(config_.stop_grace) : Result<void>();
  }

  [[nodiscard]] bool shows_life() override { return keeper_->lines_heard() > 0 || keeper_->running(); }

 private:
  [[nodiscard]] Error cannot(std::string_view what) const {
    return {ErrorKind::usage, fmt::format("{}: a process unit cannot {}", config_.info.id, what)};
  }
  [[nodiscard]] tl::unexpected<Error> told(const Error& error) const { return fail(error, "{}", config_.info.id); }

  void on_line(const std::string& line) { recorder_.add("console_line", evidence_.speech(line)); }
  void on_ended(const ExitStatus& status) { evidence_.add("console", "process_ended", {{"status", status.text()}}); }

  Result<void> install_files(const std::vector<std::pair<std::string, std::string>>& files,
                             const std::string& client_id) {
    for (const auto& [name, content] : files) {
      const unsigned mode = name.ends_with("key.pem") ? 0600 : 0644;
      if (const auto written = write_file(config_.files / name, content, mode); !written) return told(written.error());
    }
    client_id_ = client_id;
    installed_ = true;
    return wanted_ ? launch(config_.stop_grace) : Result<void>();
  }

  Result<void> launch(Milliseconds grace) {
    if (!endpoint_) return {};  // It is started once it can know where to connect.
    ChildOptions options;
    options.command = config_.command;
    options.folder = config_.working_folder;
    options.environment = inherited_environment();
    auto& variables = *options.environment;
    variables["HILMARK_ENDPOINT"] = endpoint_->name;
    variables["HILMARK_CONNECT_ADDRESS"] = endpoint_->connect_address;
    variables["HILMARK_PORT"] = std::to_string(endpoint_->port);
    variables["HILMARK_CLIENT_ID"] = client_id_;
    variables["HILMARK_TOPIC"] = config_.topic;
    variables["HILMARK_RESOLVER"] = endpoint_->resolver.empty() ? "" : endpoint_->resolver + ":53";
    const std::pair<const char*, const char*> files[] = {{"HILMARK_CERT", "certificate.pem"},
                                                         {"HILMARK_KEY", "key.pem"},
                                                         {"HILMARK_CHAIN", "chain.pem"},
                                                         {"HILMARK_ROOT_CA", "root_ca.pem"}};
    for (const auto& [variable, file] : files) variables[variable] = installed_ ? (config_.files / file).string() : "";
    if (!claim_template_.empty()) {
      variables["HILMARK_CLAIM_CERT"] = config_.files / "claim_chain.pem";
      variables["HILMARK_CLAIM_KEY"] = config_.files / "claim_key.pem";
      variables["HILMARK_FLEET_TEMPLATE"] = claim_template_;
    }
    keeper_->stop(grace);
    // What is recorded from here on is not the former process's.
    evidence_.add("rig", "process_stopped", {});
    const auto started = keeper_->start(std::move(options), grace);
    if (!started) return told(started.error());
    return {};
  }

  ProcessUnitConfig config_;
  EvidenceLog& evidence_;
  ConsoleRecorder recorder_;
  std::optional<EndpointAddress> endpoint_;
  std::string client_id_;
  std::string claim_template_;  // empty: it holds no claim
  bool installed_ = false;
  bool wanted_ = false;
  std::unique_ptr<ProcessKeeper> keeper_;  // ends before what it calls
};

}  // namespace

Result<std::unique_ptr<Unit>> make_process_unit(ProcessUnitConfig config, const Clock& clock, EvidenceLog& evidence) {
  if (config.command.empty()) return fail(ErrorKind::usage, "{}: the lab file names no command", config.info.id);
  auto unit = std::make_unique<ProcessUnit>(std::move(config), clock, evidence);
  if (const auto begun = unit->begin(); !begun) return fail(begun.error());
  return unit;
}

}  // namespace hilmark
