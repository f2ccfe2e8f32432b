// provisioning: the key that a device makes for itself, and what it asks for with it.
#include <map>
#include <set>

#include "fixtures/pki/request.h"
#include "suites/areas.h"
#include "suites/bench.h"
#include "suites/matchers.h"

namespace hilmark::suites {
namespace {

/// A request of the unit, as evidence.
EvidencePtr asked_for_request(Bench& bench) {
  const std::string pem = bench.ask_for_request();
  EvidencePtr seen = bench.remark("certificate_request", {{"request", pem}});
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

/// What stands for each public key that was seen.
using KnownKeys = std::map<std::string, std::string>;

void expect_requests_for_new_keys(Bench& bench, KnownKeys& known) {
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

void expect_keys_of_nobody_else(Bench& bench, const KnownKeys& known) {
  std::set<std::string> ids;
  for (const auto& [id, what] : known) ids.insert(id);
  const auto others = bench.compare_keys(ids);
  if (!others) {
    bench.note("its keys were not compared with those of other units: " + others.error().message);
    return;
  }
  if (others->units.empty()) bench.note("its keys were compared with nobody's: no other unit of this lab is known yet");
  for (const auto& [id, unit] : others->shared) {
    bench.rests_on(bench.remark("shared_key", {{"public_key_id", id}, {"unit", unit}}));
    ADD_FAILURE() << known.at(id) << " is that of unit " << unit << " as well (public key " << id
                  << "); if that is this board under a former name, take its line out of " << bench.key_history_file();
  }
}

// Asks the unit for two requests, each after it was told to make a key, and for two more after a reset. Compares all
// its public keys with those that the lab's other units were ever seen with.
// Assures that a key is drawn from entropy: whoever knows one device's key knows no other one's.
// Fails firmware with a key in its image, or with a generator that starts from the same seed at each boot.
void every_key_is_new(Bench& bench) {
  KnownKeys known;
  if (auto installed = bench.public_key_id()) known[*installed] = "the key of the certificate that it holds";
  if (bench.makes_new_keys()) {
    expect_requests_for_new_keys(bench, known);
  } else {
    const EvidencePtr request = asked_for_request(bench);
    known.emplace(key_of(request), fmt::format("the key of request #{}", request->number));
    bench.note("requests were not compared with each other: its console has no command that makes a new key");
  }
  expect_keys_of_nobody_else(bench, known);
}

/// Whether nothing was found yet.
bool expect_no_leak(Bench& bench) {
  bool found_none = true;
  for (const LeakedKey& leak : bench.keys().leaks()) {
    if (leak.where == KeyWatch::console && !bench.can(Capability::console)) continue;
    const EvidencePtr found = bench.remark("private_key", {{"where", leak.where},
                                                           {"form", leak.form},
                                                           {"public_key_id", leak.public_key_id},
                                                           {"of_unit", leak.of_unit},
                                                           {"first", leak.evidence}});
    bench.opportunity(found);
    ADD_FAILURE() << (leak.of_unit ? "its private key" : "a private key") << " stands in " << leak.where << ", "
                  << leak.form << " (evidence #" << found->number << ")";
    found_none = false;
  }
  return found_none;
}

// The last of all: what the unit said on its console and sent to the cloud since the run began, through moves,
// rotations, bad installations and faults, was searched as it came. Before it is judged, the unit makes a key, where it
// does, and is restarted.
// Assures that whoever reads a log, or a message, does not hold the device's identity.
// Fails firmware with a debugging aid left in.
void keeps_its_key_to_itself(Bench& bench) {
  // For what was found already it need not come back once more, which it may not be able to any longer.
  if (!expect_no_leak(bench)) return;
  bench.opportunity(bench.serve_anew());
  if (bench.can(Capability::csr)) (void)bench.ask_for_request();
  const std::uint64_t mark = bench.reset_unit();
  const EvidencePtr served = bench.await_served(mark, bench.connect_limit());
  if (!served) throw Inconclusive("not served within " + in_ms(bench.connect_limit()) + " of a reset");
  bench.rests_on(served);
  if (bench.can(Capability::publish)) {
    const EvidencePtr sent = bench.await_kind("publish", mark, bench.reconnect_limit());
    bench.rests_on(sent);
    if (!sent) bench.note("it published nothing, so that no payload was searched after its restart");
  }
  if (!bench.can(Capability::console)) bench.note("it has no console; only what it sent was judged");
  bench.note(fmt::format("searched since the run's beginning: {} octets", bench.keys().octets_searched()));
  if (const std::uint64_t left_out = bench.keys().left_out()) {
    bench.note(
        fmt::format("{} windows were passed over: there were too many (binary payloads, a flooded console)", left_out));
  }
  (void)expect_no_leak(bench);
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
                   .demand =
                       "no other unit of the lab was seen with its key, in any run; where it says that it makes a "
                       "new key, no two requests hold the same one, over a reset as well",
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

void add_leak_case(std::vector<Case>& cases) {
  cases.push_back({.id = "PROV-03",
                   .area = "provisioning",
                   .title = "keeps its private key to itself",
                   .demand = "in all that it said on the console and sent to the cloud since the run began there is no "
                             "private key: PEM or DER, or the 32 octets of its own P-256 key, as they are, in "
                             "hexadecimal or in base64",
                   .source = "house rule H3",
                   .needs = {Capability::reset},
                   .defects = {"key-on-console", "key-in-payload"},
                   .opportunity = "a served connection, or a key",
                   .start = Case::Start::as_it_is,
                   .body = keeps_its_key_to_itself,
                   .file = __FILE__,
                   .line = __LINE__});
}

}  // namespace hilmark::suites
