// The bench that a case's body works on: the unit, its world, and what was seen of it. Verbs live here, claims in the
// bodies.
#pragma once

#include <atomic>
#include <functional>
#include <initializer_list>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "drivers/unit/unit.h"
#include "fixtures/cloud/cloud.h"
#include "fixtures/network/resolver.h"
#include "fixtures/pki/pki.h"
#include "harness/base/evidence.h"
#include "suites/key_history.h"
#include "suites/key_watch.h"
#include "suites/observations.h"
#include "suites/runner.h"
#include "suites/verdict.h"
#include "suites/waited_time.h"

namespace hilmark::suites {

/// What one account knows when a case begins.
struct AccountPlan {
  cloud::Place place;
  cloud::CertificateMode mode = cloud::CertificateMode::default_mode;
  /// The unit's certificate is registered and ACTIVE already; else its first connection registers it by JITP.
  bool certificate_registered = false;
  /// The CA carries the JITP template; else its devices wait for their activation (JITR).
  bool by_template = true;
};

/// What the rig says a unit is to be told at its beginning: nothing here is changed by a case for good.
struct BenchParts {
  Unit& unit;
  const RunSettings& settings;
  EvidenceLog& evidence;
  const Clock& clock;
  cloud::Cloud& cloud;
  const pki::ServerAuthority& servers;
  const pki::DeviceAuthority& devices;
  KeyWatch& keys;
  network::Resolver* resolver = nullptr;  ///< none where the unit has no network of its own
};

/// The common name of the rig's own client.
inline constexpr std::string_view probe_name = "hilmark-probe";

class Bench {
 public:
  explicit Bench(const BenchParts& parts);

  // --- the unit
  [[nodiscard]] const UnitInfo& info() const { return parts_.unit.info(); }
  [[nodiscard]] bool can(Capability capability) const { return info().can(capability); }
  [[nodiscard]] const std::string& certificate_id() const { return certificate_id_; }
  [[nodiscard]] const std::string& client_id() const { return parts_.settings.client_id; }
  /// Restart it. What is numbered above the mark that they return was not said or done by the firmware's life before.
  std::uint64_t reset_unit();
  std::uint64_t power_cycle_unit();
  /// Whether it was started anew since `after`: what it had in RAM is gone.
  [[nodiscard]] bool started_anew_since(std::uint64_t after) const { return end_of_former_life(after) != after; }
  /// The unit shall connect to this account from now on; returns when it has confirmed. Capability endpoint.
  void move_to(const cloud::Place& place);
  /// Where it finds `place`: by its usual name, at the MQTT port.
  [[nodiscard]] EndpointAddress address_of(const cloud::Place& place);
  /// The same by `domain_name`, which becomes a custom domain of the account, and known to the rig's name server.
  [[nodiscard]] EndpointAddress address_of_domain(const cloud::Place& place, const std::string& domain_name);
  void move_to(const EndpointAddress& endpoint) { set_endpoint(endpoint); }
  /// Moves it there; what it says if it will not take that, for it stays where it is then.
  [[nodiscard]] std::optional<std::string> refusal_of(const EndpointAddress& endpoint);
  /// Gives the unit an identity signed by the device authority, the trust anchor and its home endpoint, and starts it.
  /// `once_signed` is called between its certificate's signature and the installation.
  void provision(const std::function<void()>& once_signed = {});
  /// Gives the unit another certificate, with another key where it does not keep its own; `place` knows it, and has the
  /// former one revoked. Returns the mark as reset_unit() does.
  std::uint64_t rotate_identity(const cloud::Place& place);
  /// What the unit asks to be certified: PEM. Where it makes new keys, for one made now.
  [[nodiscard]] std::string ask_for_request();
  [[nodiscard]] bool makes_new_keys() { return parts_.unit.makes_new_keys(); }
  [[nodiscard]] const std::string& certificate_pem() const { return identity_.certificate_pem; }
  /// Of the certificate that it was given; nullopt before it got one.
  [[nodiscard]] std::optional<std::string> public_key_id() const;
  /// Another identity for the unit, which makes its key where it does: `place` knows it beside the one that it holds.
  [[nodiscard]] pki::DeviceCredential another_identity(const cloud::Place& place);
  [[nodiscard]] const pki::DeviceCredential& identity() const { return identity_; }
  /// Installs it; from now on the unit is taken to hold it.
  void install(const pki::DeviceCredential& identity);
  /// What the power was taken away during.
  struct PowerCut {
    std::uint64_t mark = 0;  ///< as power_cycle_unit() returns it
    bool too_late = false;   ///< the unit had confirmed all that it was told before its power went
    Milliseconds took{0};    ///< what was done meanwhile, until it was confirmed or failed
  };
  /// The same, with the unit's power cut `after` the beginning. What the unit holds is to be seen, and told by hold().
  [[nodiscard]] PowerCut install_with_power_cut(const pki::DeviceCredential& identity, Milliseconds after);
  void hold(const pki::DeviceCredential& identity);
  /// move_to() in the same way; where the unit is connected to is to be seen, and told by is_at().
  [[nodiscard]] PowerCut move_with_power_cut(const cloud::Place& place, Milliseconds after);
  void is_at(const cloud::Place& place) { endpoint_ = address_of(place); }
  /// Installs this certificate and nothing else: the unit's error, or nullopt if it took it. NoAnswer if it did not
  /// answer though it is there.
  [[nodiscard]] std::optional<std::string> refusal_of(const std::string& certificate_chain);
  [[nodiscard]] std::string certificate_for_another_key() const;
  /// For its own key, two days too late.
  [[nodiscard]] std::string expired_certificate() const;
  /// What was searched for private keys since the run's beginning, and found.
  [[nodiscard]] const KeyWatch& keys() const { return parts_.keys; }
  [[nodiscard]] std::string key_history_file() const { return parts_.settings.key_history.string(); }
  /// Remembers these public keys as the unit's in its lab's history, and says who else was seen with one. Errors: why
  /// they are not compared.
  [[nodiscard]] Result<KeyHistory::Others> compare_keys(const std::set<std::string>& public_key_ids) const;
  /// Restarts the unit in `place` as it leaves the factory: with a claim alone (capability fleet) for a template that
  /// is not enabled yet. `deviation` is what its connections meet. Returns the mark as restart_in() does.
  std::uint64_t restart_with_claim(const cloud::Place& place, const cloud::Deviation& deviation);
  [[nodiscard]] const std::string& claim_id() const { return claim_id_; }  ///< the claim certificate's
  void enable_fleet_template(const cloud::Place& place);
  /// The unit is provisioned by the rig again, whatever it made of a claim. Throws nothing: a note tells of a failure.
  void end_claim();
  /// Flashes firmware(), which must be there, once more. Returns the mark as reset_unit() does.
  std::uint64_t flash_again();
  /// The image's octets as the flash holds them now; nullopt where that cannot be read.
  [[nodiscard]] std::optional<Bytes> read_image();
  [[nodiscard]] const std::optional<FirmwareImage>& firmware() const { return parts_.settings.firmware; }
  [[nodiscard]] bool shows_life() { return parts_.unit.shows_life(); }
  [[nodiscard]] Result<void> check_present() { return parts_.unit.check_present(); }

  // --- its world
  [[nodiscard]] cloud::Place account_a() const { return {parts_.settings.cloud.accounts.at(0), region()}; }
  [[nodiscard]] cloud::Place account_b() const { return {parts_.settings.cloud.accounts.at(1), region()}; }
  /// B in the lab's second region, which has an address of its own. Ends the case as not applicable if there is none.
  [[nodiscard]] cloud::Place account_b_elsewhere() const;
  /// Twenty further accounts in the region of A and B.
  [[nodiscard]] std::vector<cloud::Place> tour() const;
  [[nodiscard]] cloud::CloudAccount& account(const cloud::Place& place) { return parts_.cloud.account(place); }
  [[nodiscard]] cloud::Cloud& cloud() { return parts_.cloud; }
  /// The rig's name server, which answers as it should again once a world is laid out. Ends the case as not applicable
  /// if the unit has none, or has not asked it for its home endpoint in this run.
  [[nodiscard]] network::Resolver& resolver();
  /// Whether there is one, and the unit has asked it for its home endpoint in this run.
  [[nodiscard]] bool asks_resolver() const;
  [[nodiscard]] const pki::ServerAuthority& servers() const { return parts_.servers; }
  /// Ends all connections, forgets everything that accounts know and registers this instead. Returns the mark from
  /// which evidence belongs to the new world: whatever comes after it is of a connection that began after the old ones
  /// had ended.
  std::uint64_t lay_out(const std::vector<AccountPlan>& plans);
  /// Lays `plans` out, makes a change to that, and resets the unit, whose connections wait meanwhile: none of its
  /// former life meets the new world. Returns the mark from which evidence is of its new life.
  std::uint64_t restart_in(const std::vector<AccountPlan>& plans, const std::function<void()>& change = {});
  /// How the endpoint met the unit's first connection after restart_in(): `registered`, `refused`, `connack`, or null
  /// if it did not connect within its limit.
  [[nodiscard]] EvidencePtr first_connection_in(const std::vector<AccountPlan>& plans);
  /// What the accounts know is forgotten, at this very moment; connections end.
  void forget_registrations() { parts_.cloud.reset(); }
  /// Registers the device authority's CA: ACTIVE, auto-registering, with the JITP template or without one (JITR).
  void register_ca(const cloud::Place& place, cloud::CertificateMode mode, bool by_template = true);
  /// The same unless the account has it already. Errors (usage): it has it in the other mode, or INACTIVE, or the cloud
  /// does not take it.
  [[nodiscard]] Result<void> ensure_ca(const cloud::Place& place, cloud::CertificateMode mode);
  /// What whoever listens to JITR's event does: the certificate gets its policy and becomes ACTIVE.
  void activate_certificate(const cloud::Place& place);
  /// The same, taken away again.
  void detach_policy(const cloud::Place& place);
  void attach_policy(const cloud::Place& place);
  /// Its policy is replaced by one that allows iot:Connect alone, and the other way round.
  void allow_only_to_connect(const cloud::Place& place);
  void allow_all_again(const cloud::Place& place);
  void set_certificate_status(const cloud::Place& place, cloud::CertificateStatus status);
  /// The unit's certificate is registered, ACTIVE and with its policy; its CA is known here.
  void register_certificate(const cloud::Place& place);
  /// The same without its CA being known (RegisterCertificateWithoutCA), which makes it SNI_ONLY.
  void register_certificate_alone(const cloud::Place& place);
  /// INACTIVE, its things and policies detached, deleted: the account knows it no more.
  void delete_certificate(const cloud::Place& place);
  void set_ca_status(const cloud::Place& place, cloud::CaStatus status);
  void set_auto_registration(const cloud::Place& place, bool enabled);
  void delete_ca(const cloud::Place& place);
  /// Refused must mean that nothing of the unit was registered: else the rig is at fault.
  void expect_unregistered(const cloud::Place& place);
  /// To another account of the region, which accepts it ACTIVE and gives it its policy.
  void transfer_certificate(const cloud::Place& from, const cloud::Place& to);
  /// Ends the unit's connections, in good order or by a TCP reset; returns the mark from which on it connects anew.
  std::uint64_t drop_connections(bool by_tcp_reset = false);
  /// The endpoint name that the unit is configured with now.
  [[nodiscard]] const std::string& configured_name() const { return endpoint_.name; }
  /// Gives that name to `place`: the way to move a unit whose endpoint cannot be changed.
  void give_name_to(const cloud::Place& place) { parts_.cloud.assign_name(endpoint_.name, place); }
  /// The rig's own client is served at this moment, by name server and endpoint; if not, that is the rig's fault and
  /// ends the case so.
  void prove_endpoint_healthy();
  /// The same where no world was laid out: account A knows the rig's own client for as long as that takes.
  void prove_endpoint_healthy_as_guest();

  // --- what was seen
  [[nodiscard]] std::uint64_t now() const { return parts_.evidence.newest(); }  ///< "from here on"
  /// The first matching evidence of the unit after `after`, or null by the limit. Ends the case if the rig broke.
  [[nodiscard]] EvidencePtr await(const EvidenceLog::Matcher& matches, std::uint64_t after, Milliseconds limit);
  [[nodiscard]] EvidencePtr await_kind(std::string_view kind, std::uint64_t after, Milliseconds limit);
  [[nodiscard]] EvidencePtr await_served(std::uint64_t after, Milliseconds limit) {
    return await_kind("connack", after, limit);
  }
  /// The same for a unit that its next connection may register (and end) first: it comes within `limit`, and then once
  /// more within the reconnect limit. Only what `counts` is looked at.
  [[nodiscard]] EvidencePtr await_registered_and_served(std::uint64_t after, Milliseconds limit,
                                                        const EvidenceLog::Matcher& counts = of_unit);
  [[nodiscard]] std::vector<EvidencePtr> seen(std::string_view kind, std::uint64_t after) const;
  /// All matching evidence since, whoever it is of.
  [[nodiscard]] std::vector<EvidencePtr> all(const EvidenceLog::Matcher& matches, std::uint64_t after) const {
    return parts_.evidence.all(matches, after);
  }
  /// All ClientHellos of connections that were accepted after `after`.
  [[nodiscard]] std::vector<Hello> hellos_since(std::uint64_t after) const;
  [[nodiscard]] std::optional<Hello> await_hello(
      std::uint64_t after, Milliseconds limit,
      const std::function<bool(const Hello&)>& which = [](const Hello&) { return true; });
  /// The certificates that were presented in connections accepted after `after`.
  [[nodiscard]] std::vector<Presented> presented_since(std::uint64_t after) const;
  /// Records an observation of the rig's own.
  EvidencePtr remark(std::string kind, boost::json::object data);
  /// Lets time pass without an event to wait for; for claims that something must not happen.
  void watch(Milliseconds window);

  [[nodiscard]] Milliseconds since(SteadyTime begun) const {
    return std::chrono::duration_cast<Milliseconds>(parts_.clock.now() - begun);
  }
  [[nodiscard]] SteadyTime time() const { return parts_.clock.now(); }

  // --- limits (the unit's, else the catalogue's)
  [[nodiscard]] Milliseconds connect_limit() const { return info().timing.connect; }
  /// Declared, and never less than 1.5 × the largest gap seen between two attempts.
  [[nodiscard]] Milliseconds reconnect_limit() const;
  [[nodiscard]] Milliseconds watch_window() const { return info().timing.watch; }

  /// Ends the case as not applicable if `what` would take longer than a case may, and --long was not given.
  void afford(Milliseconds time, std::string_view what) const;
  [[nodiscard]] bool can_afford(Milliseconds time) const;  ///< the same as a question
  [[nodiscard]] bool has_long_time() const { return parts_.settings.long_time; }
  /// Of all randomness.
  [[nodiscard]] std::uint64_t seed() const { return parts_.settings.seed; }

  // --- findings
  void opportunity(const EvidencePtr& evidence);
  void rests_on(const EvidencePtr& evidence);
  /// Good practice that was not kept: told as a warning if nothing worse was found.
  void warn(std::string text) { findings_.warnings.push_back(std::move(text)); }
  void note(std::string text) { findings_.notes.push_back(std::move(text)); }
  [[nodiscard]] Findings& findings() { return findings_; }
  void begin_case() {
    findings_ = Findings{};
    waits_.clear();
  }
  /// Brings the unit back to a served connection in its home account, by reset, power and provisioning if need be.
  void bring_to_served();
  /// The same, for cases that begin as the unit is: the served connection's evidence. The world stays the home one.
  [[nodiscard]] EvidencePtr serve_anew();
  /// The world in which a unit is at home: account A, DEFAULT mode, certificate registered.
  std::uint64_t lay_out_home() { return lay_out({{account_a(), cloud::CertificateMode::default_mode, true}}); }
  /// Kept up to date by the runner's evidence listener.
  void saw_gap(SteadyTime from, SteadyTime to);
  /// Of the time since begin_case() that in which the claim demands silence, or the unit itself waited before it tried
  /// again.
  [[nodiscard]] Milliseconds waited() const { return waits_.total(); }

 private:
  [[nodiscard]] const std::string& region() const { return parts_.settings.cloud.regions.at(0); }
  void set_endpoint(const EndpointAddress& endpoint);
  void populate(const std::vector<AccountPlan>& plans);
  [[nodiscard]] std::string device_ca_id() const;
  void admit(cloud::CloudAccount& account, const pki::DeviceCredential& identity);
  void make_identity();
  [[nodiscard]] pki::DeviceCredential made_identity();
  [[nodiscard]] Result<void> install_identity(const pki::DeviceCredential& identity);
  PowerCut cut_power_during(const std::function<Result<void>()>& work, Milliseconds after);
  void install_claim();
  /// Evidence of these kinds about connections that were accepted after `after`.
  [[nodiscard]] std::vector<EvidencePtr> of_connections_since(std::uint64_t after,
                                                              std::initializer_list<std::string_view> kinds) const;
  [[nodiscard]] bool try_bring_to_served(std::string& story);
  [[nodiscard]] bool is_provisioned_anew(std::string& story);  ///< and served
  void check(const Result<void>& done);
  [[nodiscard]] std::uint64_t restarted(const Result<void>& done, std::uint64_t before);
  [[nodiscard]] std::uint64_t end_of_former_life(std::uint64_t after) const;

  BenchParts parts_;
  Findings findings_;
  pki::DeviceCredential identity_;
  pki::DeviceCredential probe_identity_;
  std::string certificate_id_;
  pki::DeviceCredential claim_;
  std::string claim_id_;
  EndpointAddress endpoint_;
  bool beyond_recovery_ = false;  // bring_to_served() failed last time
  std::atomic<Milliseconds::rep> largest_gap_ms_{0};
  WaitedTime waits_;
};

/// Takes the unit home when it goes out of scope, whatever ends the case: the next one may begin as the unit is.
class WayHome {
 public:
  explicit WayHome(Bench& bench) : bench_(bench) {}
  WayHome(const WayHome&) = delete;
  WayHome& operator=(const WayHome&) = delete;
  ~WayHome();

 private:
  Bench& bench_;
};

/// `bench.reconnect_limit()` and kin as a reader wants them: "10000 ms".
[[nodiscard]] std::string in_ms(Milliseconds time);

}  // namespace hilmark::suites
