// The bench's accounts: what they know of the unit, and worlds made of several.
#include <openssl/obj_mac.h>

#include "fixtures/cloud/policy/policy.h"
#include "fixtures/pki/certificate.h"
#include "suites/bench.h"

namespace hilmark::suites {
namespace {

constexpr std::string_view allow_all_policy = "hilmark-device";
constexpr std::string_view connect_only_policy = "hilmark-connect-only";
constexpr const char* connect_only_document =
    R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:Connect","Resource":"*"}]})";

// A thing named after the certificate's CN, the policy by name, status ACTIVE by default.
constexpr const char* jitp_template = R"({
  "Parameters": {"AWS::IoT::Certificate::CommonName": {"Type": "String"},
                 "AWS::IoT::Certificate::Id": {"Type": "String"}},
  "Resources": {
    "thing": {"Type": "AWS::IoT::Thing",
              "Properties": {"ThingName": {"Ref": "AWS::IoT::Certificate::CommonName"}}},
    "certificate": {"Type": "AWS::IoT::Certificate",
                    "Properties": {"CertificateId": {"Ref": "AWS::IoT::Certificate::Id"}, "Status": "ACTIVE"}},
    "policy": {"Type": "AWS::IoT::Policy", "Properties": {"PolicyName": "hilmark-device"}}}})";

/// The policy that the unit's certificate gets, where it is not there yet.
void ensure_policy(cloud::CloudAccount& account) {
  const auto made = account.create_policy(std::string(allow_all_policy), cloud::allow_all_document);
  if (!made && made.error().message.find("ResourceAlreadyExistsException") == std::string::npos) {
    throw RigTrouble(made.error());
  }
}

/// The rig's own clients, be it those of an attempt that was killed.
void remove_guests(cloud::CloudAccount& account) {
  for (const cloud::CertificateRecord& record : rig_value(account.list_certificates())) {
    const auto certificate = pki::read_certificate(record.pem);
    if (!certificate || pki::subject_attribute(certificate->get(), NID_commonName) != probe_name) continue;
    for (const std::string& policy : record.policies) rig_value(account.detach_policy(policy, record.id));
    rig_value(account.update_certificate(record.id, cloud::CertificateStatus::inactive));
    rig_value(account.delete_certificate(record.id, true));
  }
}

}  // namespace

void Bench::register_ca(const cloud::Place& place, cloud::CertificateMode mode, bool by_template) {
  cloud::CloudAccount& target = account(place);
  cloud::RegisterCaRequest request{
      .ca_certificate = parts_.devices.ca_pem(), .mode = mode, .set_as_active = true, .allow_auto_registration = true};
  if (by_template) request.template_body = jitp_template;
  if (mode == cloud::CertificateMode::default_mode) {
    request.verification_certificate =
        rig_value(parts_.devices.verification_certificate(rig_value(target.registration_code())));
  }
  ensure_policy(target);
  (void)rig_value(target.register_ca(request));
}

Result<void> Bench::ensure_ca(const cloud::Place& place, cloud::CertificateMode mode) {
  cloud::CloudAccount& target = account(place);
  const auto record = target.describe_ca(device_ca_id());
  if (!record) {
    try {
      register_ca(place, mode);
    } catch (const RigTrouble& refused) {
      return fail(ErrorKind::usage, "account {} in {} does not take the CA in {} mode: {}", place.account, place.region,
                  name_of(mode), refused.what());
    }
    return {};
  }
  if (record->mode != mode) {
    return fail(ErrorKind::usage,
                "account {} in {} has this CA in {} mode already; use that mode, or delete it there first (serve its "
                "state, then "
                "update-ca-certificate --new-status INACTIVE and delete-ca-certificate)",
                place.account, place.region, name_of(record->mode));
  }
  if (record->status != cloud::CaStatus::active) {
    return fail(ErrorKind::usage, "account {} has this CA already, but it is {}; set it ACTIVE first", place.account,
                name_of(record->status));
  }
  ensure_policy(target);
  remove_guests(target);
  return {};
}

void Bench::prove_endpoint_healthy_as_guest() {
  cloud::CloudAccount& home = account(account_a());
  remove_guests(home);
  const auto record = rig_value(
      home.register_certificate_without_ca(probe_identity_.certificate_pem, cloud::CertificateStatus::active));
  rig_value(home.attach_policy(std::string(allow_all_policy), record.id));
  prove_endpoint_healthy();
  remove_guests(home);
}

void Bench::activate_certificate(const cloud::Place& place) {
  attach_policy(place);
  set_certificate_status(place, cloud::CertificateStatus::active);
}

void Bench::attach_policy(const cloud::Place& place) {
  rig_value(account(place).attach_policy(std::string(allow_all_policy), certificate_id_));
}

void Bench::detach_policy(const cloud::Place& place) {
  rig_value(account(place).detach_policy(std::string(allow_all_policy), certificate_id_));
}

void Bench::allow_only_to_connect(const cloud::Place& place) {
  rig_value(account(place).create_policy(std::string(connect_only_policy), connect_only_document));
  rig_value(account(place).attach_policy(std::string(connect_only_policy), certificate_id_));
  detach_policy(place);
}

void Bench::allow_all_again(const cloud::Place& place) { attach_policy(place); }

cloud::Place Bench::account_b_elsewhere() const {
  const cloud::CloudConfig& config = parts_.settings.cloud;
  if (config.regions.size() < 2) throw NotApplicable("this unit's lab has one region alone");
  return {config.accounts.at(1), config.regions.at(1)};
}

std::vector<cloud::Place> Bench::tour() const {
  std::vector<cloud::Place> places;
  for (const std::string& account : parts_.settings.tour_accounts) places.push_back({account, region()});
  return places;
}

void Bench::set_certificate_status(const cloud::Place& place, cloud::CertificateStatus status) {
  rig_value(account(place).update_certificate(certificate_id_, status));
}

void Bench::admit(cloud::CloudAccount& account, const pki::DeviceCredential& identity) {
  const auto record = rig_value(account.register_certificate(identity.certificate_pem, parts_.devices.ca_pem(),
                                                             cloud::CertificateStatus::active));
  rig_value(account.attach_policy(std::string(allow_all_policy), record.id));
}

void Bench::register_certificate(const cloud::Place& place) { admit(account(place), identity_); }

void Bench::register_certificate_alone(const cloud::Place& place) {
  cloud::CloudAccount& target = account(place);
  ensure_policy(target);
  const auto record =
      rig_value(target.register_certificate_without_ca(identity_.certificate_pem, cloud::CertificateStatus::active));
  rig_value(target.attach_policy(std::string(allow_all_policy), record.id));
}

void Bench::delete_certificate(const cloud::Place& place) {
  cloud::CloudAccount& target = account(place);
  const auto record = rig_value(target.describe_certificate(certificate_id_));
  if (record.status != cloud::CertificateStatus::revoked) {
    set_certificate_status(place, cloud::CertificateStatus::inactive);
  }
  rig_value(target.detach_things(certificate_id_));
  rig_value(target.delete_certificate(certificate_id_, true));
}

void Bench::set_ca_status(const cloud::Place& place, cloud::CaStatus status) {
  cloud::UpdateCaRequest change;
  change.status = status;
  rig_value(account(place).update_ca(device_ca_id(), change));
}

void Bench::set_auto_registration(const cloud::Place& place, bool enabled) {
  cloud::UpdateCaRequest change;
  change.auto_registration = enabled;
  rig_value(account(place).update_ca(device_ca_id(), change));
}

void Bench::delete_ca(const cloud::Place& place) { rig_value(account(place).delete_ca(device_ca_id())); }

void Bench::expect_unregistered(const cloud::Place& place) {
  for (const cloud::CertificateRecord& record : rig_value(account(place).list_certificates())) {
    if (record.id == certificate_id_) {
      throw RigTrouble(Error{ErrorKind::rig, fmt::format("account {} registered the certificate of a unit that it "
                                                         "refuses",
                                                         place.account)});
    }
  }
}

std::string Bench::device_ca_id() const { return rig_value(pki::certificate_id(parts_.devices.ca_pem())); }

void Bench::transfer_certificate(const cloud::Place& from, const cloud::Place& to) {
  set_certificate_status(from, cloud::CertificateStatus::inactive);
  detach_policy(from);
  rig_value(account(from).detach_things(certificate_id_));
  rig_value(account(from).transfer_certificate(certificate_id_, to.account));
  ensure_policy(account(to));
  rig_value(account(to).accept_transfer(certificate_id_, cloud::CertificateStatus::active));
  attach_policy(to);
}

std::uint64_t Bench::lay_out(const std::vector<AccountPlan>& plans) {
  parts_.cloud.set_deviation({});
  if (parts_.resolver != nullptr) parts_.resolver->restore();
  parts_.cloud.reset();
  const std::uint64_t mark = now();
  // A unit that is back already must not meet half of it, and register itself where the rig is about to.
  parts_.cloud.atomically([&] { populate(plans); });
  return mark;
}

std::uint64_t Bench::restart_in(const std::vector<AccountPlan>& plans, const std::function<void()>& change) {
  struct Hold {
    explicit Hold(cloud::Cloud& held) : cloud(held) { cloud.hold_connections(true); }
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;
    ~Hold() { cloud.hold_connections(false); }
    cloud::Cloud& cloud;
  } const hold(parts_.cloud);
  (void)lay_out(plans);
  if (change) change();
  return reset_unit();
}

void Bench::populate(const std::vector<AccountPlan>& plans) {
  for (const AccountPlan& plan : plans) {
    register_ca(plan.place, plan.mode, plan.by_template);
    cloud::CloudAccount& target = account(plan.place);
    if (plan.certificate_registered && !identity_.certificate_pem.empty()) admit(target, identity_);
    if (plan.place == account_a()) admit(target, probe_identity_);
  }
}

EvidencePtr Bench::first_connection_in(const std::vector<AccountPlan>& plans) {
  const std::uint64_t mark = restart_in(plans);
  return await(
      [](const Evidence& piece) {
        return of_unit(piece) && (piece.kind == "registered" || piece.kind == "refused" || piece.kind == "connack");
      },
      mark, connect_limit());
}

}  // namespace hilmark::suites
