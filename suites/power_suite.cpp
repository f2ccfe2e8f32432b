// provisioning, move: the power fails while something is changed.
#include <algorithm>
#include <array>
#include <functional>
#include <random>

#include "suites/areas.h"
#include "suites/bench.h"
#include "suites/matchers.h"

namespace hilmark::suites {
namespace {

constexpr int cuts = 20;
constexpr int fewest_in_time = cuts / 4;  // below, the claim was hardly put to the test

/// One moment in each of as many equal parts of the work, at random: from 0 to 1.
std::vector<double> moments(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<double> within(0, 1);
  std::vector<double> all;
  all.reserve(cuts);
  for (int i = 0; i < cuts; ++i) all.push_back((i + within(random)) / cuts);
  return all;
}

Milliseconds part_of(Milliseconds whole, double moment) {
  return Milliseconds(static_cast<Milliseconds::rep>(moment * static_cast<double>(whole.count())));
}

/// On a busy host one alone may be far off.
Milliseconds median_of_three(const std::function<Milliseconds()>& timed) {
  std::array<Milliseconds, 3> times{timed(), timed(), timed()};
  std::sort(times.begin(), times.end());
  return times[1];
}

/// Served after its power came back; ends the case if it is not.
EvidencePtr expect_served(Bench& bench, std::uint64_t mark, const std::string& cut) {
  EvidencePtr served = bench.await_served(mark, bench.connect_limit());
  if (!served) {
    for (const EvidencePtr& refusal : bench.seen("refused", mark)) bench.rests_on(refusal);
    throw ClaimFailed(fmt::format("{}, it is not served within {} of its restart; connections since: {}", cut,
                                  in_ms(bench.connect_limit()), bench.seen("tcp_accepted", mark).size()));
  }
  bench.rests_on(served);
  return served;
}

/// The claim is about power lost in the middle of it.
void expect_cuts_in_time(int in_time, Milliseconds whole) {
  if (in_time >= fewest_in_time) return;
  throw Inconclusive(
      fmt::format("only {} of {} cuts came before the unit had confirmed all, which takes {}: its power switch is too "
                  "slow for this; "
                  "use a faster one (a hub's port, a relay without a shell command's delay)",
                  in_time, cuts, in_ms(whole)));
}

// Installs another identity, twenty times, and cuts the power at one moment of each twentieth of the time that it
// takes. Assures that a flat battery in the middle of a rotation leaves a device that works. Fails firmware that clears
// what it has before it writes what it gets, or writes it in parts.
void install_survives_power_cuts(Bench& bench) {
  const cloud::Place home = bench.account_a();
  bench.opportunity(bench.serve_anew());
  Milliseconds whole = median_of_three([&] {
    const pki::DeviceCredential another = bench.another_identity(home);
    const SteadyTime begun = bench.time();
    bench.install(another);
    return bench.since(begun);
  });
  int renewed = 0;
  int in_time = 0;
  for (const double moment : moments(bench.seed())) {
    const Milliseconds after = part_of(whole, moment);
    const pki::DeviceCredential old = bench.identity();
    const std::string old_id = bench.certificate_id();
    const pki::DeviceCredential another = bench.another_identity(home);
    const std::string cut = fmt::format("power lost {} into an installation that takes {}", in_ms(after), in_ms(whole));
    const Bench::PowerCut lost = bench.install_with_power_cut(another, after);
    if (!lost.too_late) ++in_time;
    // It was done sooner than it had been before: the cuts that follow come sooner, too.
    if (lost.too_late) whole = std::min(whole, lost.took);
    const EvidencePtr served = expect_served(bench, lost.mark, cut);
    bench.hold(another);
    if (served->text("certificate_id") == bench.certificate_id()) {
      ++renewed;
      continue;
    }
    bench.hold(old);
    ASSERT_THAT(Landing::from(served), WithCertificate(old_id)) << cut << ", it holds neither the old nor the new one";
  }
  bench.note(
      fmt::format("{} cuts over {}, {} before all was confirmed: {} times it came back with the new identity, {} times "
                  "with the old "
                  "one",
                  cuts, in_ms(whole), in_time, renewed, cuts - renewed));
  expect_cuts_in_time(in_time, whole);
}

// Moves the unit between two accounts, twenty times, and cuts the power at one moment of each twentieth of the time
// that it takes. Assures that a flat battery in the middle of a move leaves a device that somebody serves. Fails
// firmware that clears its endpoint before it writes the new one.
void move_survives_power_cuts(Bench& bench) {
  const cloud::Place a = bench.account_a();
  const cloud::Place b = bench.account_b();
  const std::uint64_t laid_out =
      bench.lay_out({{a, cloud::CertificateMode::default_mode, true}, {b, cloud::CertificateMode::sni_only, true}});
  const EvidencePtr control = bench.await_served(laid_out, bench.reconnect_limit());
  if (!control) throw Inconclusive("not served in account A before the move");
  bench.opportunity(control);
  cloud::Place from = a;
  Milliseconds whole = median_of_three([&] {
    const std::uint64_t mark = bench.now();
    from = from == a ? b : a;
    const SteadyTime begun = bench.time();
    bench.move_to(from);
    const Milliseconds took = bench.since(begun);
    if (!bench.await_served(mark, bench.reconnect_limit())) throw Inconclusive("not served after a move");
    return took;
  });
  int moved = 0;
  int in_time = 0;
  for (const double moment : moments(bench.seed())) {
    const Milliseconds after = part_of(whole, moment);
    const cloud::Place to = from == b ? a : b;
    const std::string cut = fmt::format("power lost {} into a move that takes {}", in_ms(after), in_ms(whole));
    const Bench::PowerCut lost = bench.move_with_power_cut(to, after);
    if (!lost.too_late) ++in_time;
    // It was done sooner than it had been before: the cuts that follow come sooner, too.
    if (lost.too_late) whole = std::min(whole, lost.took);
    const EvidencePtr served = expect_served(bench, lost.mark, cut);
    EXPECT_THAT(Landing::from(served), WithCertificate(bench.certificate_id())) << cut;
    if (served->text("account") == to.account) {
      from = to;
      ++moved;
    }
    bench.is_at(from);
  }
  bench.note(
      fmt::format("{} cuts over {}, {} before the move was confirmed: {} times it came back in the new account, {} "
                  "times in the old "
                  "one",
                  cuts, in_ms(whole), in_time, moved, cuts - moved));
  expect_cuts_in_time(in_time, whole);
}

}  // namespace

void add_power_cases(std::vector<Case>& cases) {
  cases.push_back({.id = "PROV-10",
                   .area = "provisioning",
                   .title = "an installation survives a power cut",
                   .demand = "power lost at twenty moments of an installation leaves the old or the new identity, with "
                             "which it is served",
                   .source = "house rule H2",
                   .needs = {Capability::power, Capability::install},
                   .defects = {"install-not-atomic"},
                   .depends_on = {"LIFE-06", "SNI-02"},
                   .opportunity = "a served connection before it",
                   .start = Case::Start::as_it_is,
                   .body = install_survives_power_cuts,
                   .file = __FILE__,
                   .line = __LINE__});
  cases.push_back({.id = "MOVE-10",
                   .area = "move",
                   .level = Level::should,
                   .title = "a move survives a power cut",
                   .demand = "power lost at twenty moments of a move leaves it in the old or in the new account",
                   .source = "good practice: a device in the field is never out of reach",
                   .needs = {Capability::endpoint, Capability::power},
                   .defects = {"move-not-atomic"},
                   .depends_on = {"LIFE-06", "SNI-02", "SNI-03", "MODE-01", "MOVE-01"},
                   .opportunity = "a served connection in A",
                   .body = move_survives_power_cuts,
                   .file = __FILE__,
                   .line = __LINE__});
}

}  // namespace hilmark::suites
