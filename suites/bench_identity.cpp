// The bench's verbs about keys, requests and installations.
#include "fixtures/pki/request.h"
#include "suites/bench.h"

namespace hilmark::suites {
namespace {

constexpr std::string_view fleet_template = "hilmark-fleet";
// A thing named after the serial number, the certificate ACTIVE and with the policy of the rig's other devices.
constexpr const char* fleet_template_body = R"({
  "Parameters": {"SerialNumber": {"Type": "String"}, "AWS::IoT::Certificate::Id": {"Type": "String"}},
  "Resources": {
    "thing": {"Type": "AWS::IoT::Thing", "Properties": {"ThingName": {"Ref": "SerialNumber"}}},
    "certificate": {"Type": "AWS::IoT::Certificate",
                    "Properties": {"CertificateId": {"Ref": "AWS::IoT::Certificate::Id"}, "Status": "ACTIVE"}},
    "policy": {"Type": "AWS::IoT::Policy", "Properties": {"PolicyName": "hilmark-device"}}}})";

constexpr std::string_view claim_policy = "hilmark-claim";
// A claim serves provisioning, and nothing else.
constexpr const char* claim_document = R"({"Version": "2012-10-17", "Statement": [
  {"Effect": "Allow", "Action": "iot:Connect", "Resource": "*"},
  {"Effect": "Allow", "Action": ["iot:Publish", "iot:Receive"],
   "Resource": ["arn:aws:iot:*:*:topic/$aws/certificates/*",
                "arn:aws:iot:*:*:topic/$aws/provisioning-templates/hilmark-fleet/provision/*"]},
  {"Effect": "Allow", "Action": "iot:Subscribe",
   "Resource": ["arn:aws:iot:*:*:topicfilter/$aws/certificates/*",
                "arn:aws:iot:*:*:topicfilter/$aws/provisioning-templates/hilmark-fleet/provision/*"]}]})";

std::string chain_of(const pki::DeviceCredential& identity) {
  std::string chain = identity.certificate_pem;
  for (const std::string& issuer : identity.issuers_pem) chain += issuer;
  return chain;
}

}  // namespace

Result<void> Bench::install_identity(const pki::DeviceCredential& identity) {
  return parts_.unit.install({.certificate_chain = chain_of(identity),
                              .private_key = identity.private_key_pem,
                              .trust_anchor = parts_.servers.root_pem(),
                              .client_id = client_id()});
}

void Bench::install_claim() {
  check(parts_.unit.install_claim({.certificate_chain = chain_of(claim_),
                                   .private_key = claim_.private_key_pem,
                                   .trust_anchor = parts_.servers.root_pem(),
                                   .client_id = client_id(),
                                   .template_name = std::string(fleet_template)}));
}

std::uint64_t Bench::restart_with_claim(const cloud::Place& place, const cloud::Deviation& deviation) {
  claim_ = rig_value(parts_.devices.make_device("hilmark-claim"));
  claim_id_ = rig_value(pki::certificate_id(claim_.certificate_pem));
  parts_.keys.add_key(rig_value(pki::public_key_id(claim_.certificate_pem)));
  return restart_in({{place, cloud::CertificateMode::default_mode, false}}, [&] {
    cloud::CloudAccount& target = account(place);
    rig_value(target.create_policy(std::string(claim_policy), claim_document));
    rig_value(
        target.register_certificate(claim_.certificate_pem, parts_.devices.ca_pem(), cloud::CertificateStatus::active));
    rig_value(target.attach_policy(std::string(claim_policy), claim_id_));
    rig_value(target.create_fleet_template(std::string(fleet_template), fleet_template_body));
    parts_.cloud.set_deviation(deviation);
    install_claim();
  });
}

void Bench::enable_fleet_template(const cloud::Place& place) {
  rig_value(account(place).enable_fleet_template(std::string(fleet_template)));
}

void Bench::end_claim() {
  try {
    provision();
  } catch (const std::exception& error) {
    note(fmt::format("after its claim it could not be given an identity again: {}", error.what()));
  }
}

std::string Bench::ask_for_request() {
  auto request = parts_.unit.request_csr(client_id());
  if (!request) check(tl::unexpected<Error>(request.error()));
  if (const auto key = pki::public_key_id_of_request(*request)) parts_.keys.add_key(*key);
  return std::move(*request);
}

Result<KeyHistory::Others> Bench::compare_keys(const std::set<std::string>& public_key_ids) const {
  const std::filesystem::path& file = parts_.settings.key_history;
  if (file.empty()) return fail(ErrorKind::rig, "this run keeps no history of public keys");
  return KeyHistory(file).add(info().id, public_key_ids);
}

std::optional<std::string> Bench::public_key_id() const {
  if (identity_.certificate_pem.empty()) return std::nullopt;
  const auto id = pki::public_key_id(identity_.certificate_pem);
  if (!id) throw RigTrouble(id.error());
  return *id;
}

std::optional<std::string> Bench::refusal_of(const std::string& certificate_chain) {
  // Nothing else is said to the unit, so that what it refuses is the certificate.
  const auto done = parts_.unit.install(
      {.certificate_chain = certificate_chain, .private_key = {}, .trust_anchor = {}, .client_id = {}});
  if (done) return std::nullopt;
  if (done.error().kind == ErrorKind::unit) return done.error().message;
  if (done.error().kind == ErrorKind::timeout && parts_.unit.check_present()) throw NoAnswer(done.error().message);
  check(done);
  return std::nullopt;
}

std::string Bench::certificate_for_another_key() const {
  const auto other = parts_.devices.make_device(client_id());
  if (!other) throw RigTrouble(other.error());
  return other->certificate_pem;
}

std::string Bench::expired_certificate() const {
  auto expired = parts_.devices.expired(identity_.certificate_pem);
  if (!expired) throw RigTrouble(expired.error());
  return std::move(*expired);
}

std::uint64_t Bench::flash_again() {
  const std::uint64_t before = now();
  const auto done = parts_.unit.flash(*firmware(), [](std::string_view, double) {});
  if (!done) check(tl::unexpected<Error>(done.error()));
  return end_of_former_life(before);
}

}  // namespace hilmark::suites
