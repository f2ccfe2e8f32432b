// The bench's verbs about keys, requests and installations.
#include "fixtures/pki/request.h"
#include "suites/bench.h"

namespace hilmark::suites {

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
  const auto done = parts_.unit.install({.certificate_chain = certificate_chain,
                                         .private_key = {},
                                         .trust_anchor = parts_.servers.root_pem(),
                                         .client_id = client_id()});
  if (done) return std::nullopt;
  if (done.error().kind != ErrorKind::unit) check(done);
  return done.error().message;
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
