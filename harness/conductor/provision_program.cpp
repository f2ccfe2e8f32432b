#include "harness/conductor/provision_program.h"

#include <cerrno>
#include <filesystem>

#include <boost/json/array.hpp>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "harness/base/bytes.h"
#include "harness/base/evidence_file.h"
#include "harness/base/unique_fd.h"
#include "harness/conductor/unit_factory.h"
#include "harness/conductor/worker_cloud.h"
#include "suites/provisioner.h"

namespace hilmark {
namespace {

constexpr mode_t for_all = S_IRUSR | S_IWUSR | S_IRGRP | S_IROTH;
constexpr mode_t for_owner = S_IRUSR | S_IWUSR;

/// The authority of all that is provisioned into a folder; made if there is none.
Result<pki::DeviceAuthority> make_authority(const std::filesystem::path& ca, const std::filesystem::path& key,
                                            const Clock& clock) {
  pki::DeviceAuthorityForm form;
  form.intermediates = 0;
  auto made = pki::DeviceAuthority::make(clock, form);
  if (!made) return made;
  const auto kept = made->keep();
  if (auto written = write_file(ca, kept.certificate_pem, for_all); !written) return fail(written.error());
  if (auto written = write_file(key, kept.private_key_pem, for_owner); !written) return fail(written.error());
  return made;
}

/// The user's own, or the folder's.
Result<pki::DeviceAuthority> authority_of(const ProvisionOrders& orders, const Clock& clock) {
  const std::filesystem::path out = orders.out;
  const bool own = !orders.ca.empty();
  const std::filesystem::path ca = own ? std::filesystem::path(orders.ca) : out / "ca.pem";
  const std::filesystem::path key = own ? std::filesystem::path(orders.ca_key) : out / "ca.key";
  // Of several that come at once one makes it.
  const UniqueFd folder(::open(out.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  while (::flock(folder.get(), LOCK_EX) != 0 && errno == EINTR) {
  }
  std::error_code ignored;
  if (!own && !std::filesystem::exists(key, ignored)) {
    if (!std::filesystem::exists(ca, ignored)) return make_authority(ca, key, clock);
    return fail(ErrorKind::usage, "{} has no {} beside it; remove it, or name the vendor's own by --ca and --ca-key",
                ca.string(), key.filename().string());
  }
  const auto certificate = read_file(ca);
  if (!certificate) return fail(certificate.error(), "the CA's certificate");
  const auto secret = read_file(key);
  if (!secret) return fail(secret.error(), "the CA's key");
  auto authority =
      pki::DeviceAuthority::restore(clock, {std::string(as_text(*certificate)), std::string(as_text(*secret))});
  if (!authority) return fail(authority.error(), "{} with {}", ca.string(), key.string());
  return authority;
}

class ProvisionProgram final : public WorkerProgram {
 public:
  Result<void> prepare(const WorkerOrders& orders, const World& world) override {
    orders_ = orders;
    auto devices = authority_of(orders.provision, clock_);
    if (!devices) return fail(devices.error());
    settings_.devices = std::make_shared<const pki::DeviceAuthority>(std::move(*devices));
    auto config = worker_cloud(orders, world);
    if (!config) return fail(config.error(), "unit {}", orders.unit.id);
    settings_.cloud = std::move(*config);
    settings_.cloud.state = orders.provision.state;
    settings_.client_id = orders.provision.client_id;
    settings_.resolver = resolver_address_for(world);
    auto file = EvidenceFile::open(out() / "events.jsonl");
    if (!file) return fail(file.error());
    events_.emplace(std::move(*file));
    auto made = make_unit(orders.unit, std::filesystem::path(orders.folder) / "unit", clock_, evidence_);
    if (!made) return fail(made.error(), "unit {}", orders.unit.id);
    made_ = std::move(*made);
    return {};
  }

  Result<void> run(const Sink& sink, const std::function<bool()>& stop) override {
    if (stop()) return {};
    evidence_.on_added([this](const EvidencePtr& piece) {
      if (const auto written = events_->write(*piece); !written) not_kept_ = written.error();
    });
    const auto mode = cloud::certificate_mode_from(orders_.provision.mode);
    if (!mode) return fail(ErrorKind::usage, "no mode {}", printable(orders_.provision.mode));
    const auto progress = [&sink](std::string_view step, double fraction) {
      sink({{"type", "progress"}, {"step", step}, {"fraction", fraction}});
    };
    const auto done = suites::provision_unit(*made_.unit, settings_, *mode, evidence_, clock_, progress, stop);
    if (!done) return fail(done.error());
    if (not_kept_) return fail(*not_kept_, "unit {} is provisioned, but its evidence is not whole", orders_.unit.id);
    return tell(*done, sink);
  }

 private:
  /// The unit's own.
  [[nodiscard]] std::filesystem::path out() const {
    return std::filesystem::path(orders_.provision.out) / orders_.unit.id;
  }

  Result<void> tell(const suites::Provisioned& done, const Sink& sink) {
    const std::pair<std::filesystem::path, const std::string*> files[] = {
        {out() / "certificate.pem", &done.certificate_chain}, {out() / "root_ca.pem", &done.trust_anchor}};
    boost::json::array names;
    for (const auto& [path, content] : files) {
      if (auto written = write_file(path, *content, for_all); !written) return fail(written.error());
      names.emplace_back(path.string());
    }
    boost::json::array leaks;
    for (const std::string& where : done.leaks) leaks.emplace_back(where);
    sink({{"type", "provisioned"},
          {"account", settings_.cloud.accounts.front()},
          {"region", settings_.cloud.regions.front()},
          {"mode", orders_.provision.mode},
          {"certificate", done.certificate_id},
          {"client_id", settings_.client_id},
          {"own_key", done.own_key},
          {"endpoint", done.endpoint_name},
          {"server_name", done.server_name},
          {"served_ms", done.served_in.count()},
          {"files", std::move(names)},
          {"key_seen_on", std::move(leaks)}});
    return {};
  }

  SystemClock clock_;
  EvidenceLog evidence_{clock_};
  WorkerOrders orders_;
  suites::RunSettings settings_;
  std::optional<EvidenceFile> events_;
  std::optional<Error> not_kept_;  ///< why evidence is missing there
  MadeUnit made_;
};

}  // namespace

std::unique_ptr<WorkerProgram> make_provision_program() { return std::make_unique<ProvisionProgram>(); }

}  // namespace hilmark
