// provisioning: the key that a device makes for itself, and what it asks for with it.
#include <map>

#include "fixtures/pki/request.h"
#include "suites/areas.h"
#include "suites/bench.h"
#include "suites/matchers.h"

namespace hilmark::suites {
namespace {

/// A request of the unit, as evidence.
EvidencePtr asked_for_request(Bench& bench) {
  const std::string pem = bench.ask_for_request();
  const EvidencePtr seen = bench.remark("certificate_request", {{"request", pem}});
  bench.opportunity(seen);
  return seen;
}

// Asks the unit for a certificate request and reads it as an authority would.
// Assures that any authority can sign it, and that the key will carry the device through its life.
// Fails firmware with a key that is too short, with SHA-1, or that signs other octets than it sends.
void request_is_sound(Bench& bench) {
  const EvidencePtr request = asked_for_request(bench);
  const auto fault = pki::fault_of_request(request->text("request"));
  EXPECT_FALSE(fault) << "its certificate request (evidence #" << request->number << "): " << fault.value_or("");
}

std::string key_of(const EvidencePtr& request) {
  const auto id = pki::public_key_id_of_request(request->text("request"));
  if (!id) throw Inconclusive("its certificate request cannot be read: " + id.error().message);
  return *id;
}

// Asks the unit for two requests, each after it was told to make a key, and for two more after a reset.
// Assures that a key is drawn from entropy: whoever knows one device's key knows no other one's.
// Fails firmware with a key in its image, or with a generator that starts from the same seed at each boot.
void every_key_is_new(Bench& bench) {
  bench.note("keys of other units and of other runs were not compared: the rig keeps no history of public keys");
  if (!bench.makes_new_keys()) throw NotApplicable("its console has no command that makes a new key");
  std::map<std::string, std::string> known;
  if (auto installed = bench.public_key_id()) known[*installed] = "the key of the certificate that it holds";
  for (const char* when : {"in one boot", "after a reset"}) {
    if (known.size() > 1) (void)bench.reset_unit();
    for (int i = 0; i < 2; ++i) {
      const EvidencePtr request = asked_for_request(bench);
      const auto [former, is_new] =
          known.emplace(key_of(request), fmt::format("the key of request #{}", request->number));
      ASSERT_TRUE(is_new) << "told to make a new key (" << when << "), it asks with " << former->second
                          << " again (evidence #" << request->number << ")";
    }
  }
}

}  // namespace

void add_key_cases(std::vector<Case>& cases) {
  cases.push_back({.id = "PROV-01",
                   .area = "provisioning",
                   .title = "makes a sound certificate request",
                   .demand = "the request is PKCS#10 with a correct self-signature; key RSA from 2048 bits on, P-256, "
                             "P-384 or P-521; hash SHA-256 or better",
                   .source = "RFC 2986 section 4; the service's list of key algorithms",
                   .needs = {Capability::csr},
                   .defects = {"csr-bad-signature", "csr-weak-key", "csr-sha1"},
                   .opportunity = "a certificate request",
                   .start = Case::Start::unprovisioned,
                   .body = request_is_sound,
                   .file = __FILE__,
                   .line = __LINE__});
  cases.push_back({.id = "PROV-02",
                   .area = "provisioning",
                   .title = "every key is a new one",
                   .demand = "where the unit says that it makes a new key, no two requests hold the same one, over a "
                             "reset as well",
                   .source = "house rule H3",
                   .needs = {Capability::csr, Capability::reset},
                   .defects = {"key-hardcoded", "key-seed-constant"},
                   .depends_on = {"PROV-01"},
                   .opportunity = "a certificate request",
                   .start = Case::Start::as_it_is,
                   .body = every_key_is_new,
                   .file = __FILE__,
                   .line = __LINE__});
}

}  // namespace hilmark::suites
