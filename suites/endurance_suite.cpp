// lifecycle: what shows only after many connections, or many faults.
#include <algorithm>
#include <map>
#include <random>

#include "suites/areas.h"
#include "suites/attempts.h"
#include "suites/bench.h"
#include "suites/matchers.h"
#include "suites/name_questions.h"

namespace hilmark::suites {
namespace {

using cloud::CertificateMode;

constexpr int connections_to_make = 100;
constexpr std::size_t compared = 20;  ///< connections at either end

/// How long the TLS handshake of a served connection took.
std::optional<Milliseconds> handshake_of(Bench& bench, const EvidencePtr& served) {
  const auto of_connection = [&](std::string_view kind) -> EvidencePtr {
    const auto found = bench.all(
        [&](const Evidence& piece) { return piece.connection == served->connection && piece.kind == kind; }, 0);
    return found.empty() ? nullptr : found.front();
  };
  const EvidencePtr hello = of_connection("client_hello");
  const EvidencePtr done = of_connection("handshake_done");
  if (!hello || !done) return std::nullopt;
  return std::chrono::duration_cast<Milliseconds>(done->at - hello->at);
}

/// Of several: what a busy host adds to the others is not the unit's.
Milliseconds shortest(const std::vector<Milliseconds>& times) { return *std::min_element(times.begin(), times.end()); }

/// Differences of a few milliseconds are the host's.
bool is_slower(Milliseconds time, Milliseconds than) {
  constexpr Milliseconds noise{10};
  return 2 * time > 3 * than && time - than > noise;
}

/// Makes the unit connect once more; the mark from which on that is.
using Provocation = std::function<std::uint64_t(int connection)>;

/// The times of their handshakes.
std::vector<Milliseconds> expect_all_served(Bench& bench, int connections, const Provocation& provoke) {
  std::vector<Milliseconds> times;
  for (int connection = 1; connection <= connections; ++connection) {
    const EvidencePtr served = bench.await_served(provoke(connection), bench.reconnect_limit());
    if (!served) {
      throw ClaimFailed(fmt::format("connection {} of {} was not served within {}", connection, connections,
                                    in_ms(bench.reconnect_limit())));
    }
    if (connection == 1 || connection == connections) bench.rests_on(served);
    if (const auto took = handshake_of(bench, served)) times.push_back(*took);
  }
  return times;
}

/// Whether it has got slower. If so it is looked at for longer, since a host is busy for a while, but a unit that leaks
/// stays slow; and then in a new life, which a busy host makes slow as well.
void compare_handshakes(Bench& bench, const std::vector<Milliseconds>& times, const Provocation& provoke) {
  if (times.size() < 2 * compared) return;
  const Milliseconds first = shortest({times.begin(), times.begin() + compared});
  Milliseconds last = shortest({times.end() - compared, times.end()});
  const std::string text =
      fmt::format("handshakes (shortest of {}): {} ms at first, {} ms at last", compared, first.count(), last.count());
  bench.note(text);
  constexpr int further = 3;
  for (int i = 0; i < further && is_slower(last, first); ++i) {
    const auto more = expect_all_served(bench, static_cast<int>(compared), provoke);
    if (!more.empty()) last = std::min(last, shortest(more));
  }
  if (!is_slower(last, first)) return;
  if (!bench.await_served(bench.reset_unit(), bench.connect_limit())) throw Inconclusive("not served after a reset");
  const auto anew = expect_all_served(bench, static_cast<int>(compared), provoke);
  if (anew.empty()) return;
  bench.note(fmt::format("after a reset: {} ms", shortest(anew).count()));
  if (is_slower(last, shortest(anew)))
    bench.warn(text + ": more than 1.5 times as long, and shorter again after a reset");
}

void expect_a_hundred(Bench& bench, const Provocation& provoke) {
  compare_handshakes(bench, expect_all_served(bench, connections_to_make, provoke), provoke);
}

// A hundred connections in one life of the firmware, made by moves between A and B; where a move starts it anew, or is
// not possible, by closes, each after a time in which a back-off is forgotten.
// Assures that no connection takes with it what the next one needs.
// Fails firmware that leaks a socket, a TLS context or a slot of a table each time.
void a_hundred_connections(Bench& bench) {
  const std::uint64_t laid_out = bench.lay_out(
      {{bench.account_a(), CertificateMode::default_mode, true}, {bench.account_b(), CertificateMode::sni_only, true}});
  const EvidencePtr control = bench.await_served(laid_out, bench.reconnect_limit());
  if (!control) throw Inconclusive("not served in account A at first");
  bench.opportunity(control);
  const auto move = [&](int connection) {
    const std::uint64_t mark = bench.now();
    bench.move_to(connection % 2 == 1 ? bench.account_b() : bench.account_a());
    return mark;
  };
  if (bench.can(Capability::endpoint)) {
    const std::uint64_t mark = move(1);
    if (!bench.started_anew_since(mark)) {
      if (!bench.await_served(mark, bench.reconnect_limit())) throw Inconclusive("not served after its first move");
      expect_a_hundred(bench, [&](int connection) { return move(connection + 1); });
      return;
    }
  }
  const Milliseconds held = bench.watch_window();
  if (!bench.has_long_time()) {
    throw NotApplicable(
        fmt::format("told an endpoint it starts anew, or cannot be told one; by closes, each after {}, "
                    "its hundred connections take {} s: run it with --long",
                    in_ms(held), held.count() * connections_to_make / 1000));
  }
  expect_a_hundred(bench, [&](int) {
    bench.watch(held);
    return bench.drop_connections();
  });
}

struct Fault {
  const char* name;
  std::function<void()> begin;  ///< and have the unit connect anew
  EvidenceLog::Matcher met;     ///< what shows that the unit met it
  std::function<void()> end;
};

EvidenceLog::Matcher of_unit_is(std::string_view kind) {
  return [=](const Evidence& piece) { return of_unit(piece) && piece.kind == kind; };
}

void remove_deviation(Bench& bench) { bench.cloud().set_deviation({}); }

/// Ends the unit's connection with `deviation` in place for those to come.
std::function<void()> deviating(Bench& bench, const cloud::Deviation& deviation) {
  return [&bench, deviation] {
    bench.cloud().set_deviation(deviation);
    bench.drop_connections();
  };
}

/// Refused in this form, because its certificate is INACTIVE.
Fault refusing(Bench& bench, const char* name, cloud::RefuseForm form) {
  return {name,
          [&bench, form] {
            bench.cloud().set_deviation({.refuse = form});
            bench.set_certificate_status(bench.account_a(), cloud::CertificateStatus::inactive);
          },
          of_unit_is("refused"),
          [&bench] {
            bench.set_certificate_status(bench.account_a(), cloud::CertificateStatus::active);
            remove_deviation(bench);
          }};
}

constexpr std::ptrdiff_t fewest_rows = 4;  // what is lost on the path of an error may show at the third only
constexpr const char* refusing_address = "127.0.9.2";  // nobody listens there

std::vector<Fault> faults_of(Bench& bench) {
  const auto healthy = [&bench] { remove_deviation(bench); };
  std::vector<Fault> faults = {
      {"a close", [&bench] { bench.drop_connections(); }, of_unit_is("closed"), healthy},
      {"a TCP reset in mid-handshake", deviating(bench, {.tcp = {.reset_after_client_hello = true}}),
       of_unit_is("deviation"), healthy},
      {"a close right after CONNACK", deviating(bench, {.mqtt = {.close_after_connack = true}, .connections = 1}),
       of_unit_is("deviation"), healthy},
      refusing(bench, "a fatal alert", cloud::RefuseForm::alert),
      refusing(bench, "a close after CONNECT", cloud::RefuseForm::close_after_connect),
  };
  if (!bench.asks_resolver()) return faults;
  const auto answered = [&bench](const network::NameAnswer& answer) {
    return [&bench, answer] {
      bench.resolver().deviate(bench.configured_name(), answer);
      bench.drop_connections();
    };
  };
  // Of an answer that still holds it may live; then it does not meet the fault, and is served.
  const auto answered_or_served = [&bench](const char* key, std::string value) {
    return [answers = of_questions("dns_answer", bench.configured_name()), key,
            value = std::move(value)](const Evidence& piece) {
      return (answers(piece) && piece.text(key) == value) || (of_unit(piece) && piece.kind == "connack");
    };
  };
  const auto restored = [&bench] { bench.resolver().restore(); };
  faults.push_back({"SERVFAIL", answered({.form = network::NameAnswer::Form::server_failure}),
                    answered_or_served("outcome", "SERVFAIL"), restored});
  faults.push_back({"an address that refuses", answered({.address = refusing_address}),
                    answered_or_served("address", refusing_address), restored});
  return faults;
}

/// Whether it is served already when the fault ends.
bool is_back(Bench& bench, const EvidencePtr& met, std::uint64_t begun) {
  return is_served_after(*met, bench.all([](const Evidence& piece) { return of_unit(piece); }, begun));
}

/// The unit meets the fault, which then ends, and is served.
void survive(Bench& bench, const Fault& fault, int count) {
  bench.rests_on(bench.remark("fault", {{"what", fault.name}, {"count", count}}));
  const std::uint64_t begun = bench.now();
  fault.begin();
  const EvidencePtr met = bench.await(fault.met, begun, bench.reconnect_limit());
  const std::uint64_t ended = bench.now();
  fault.end();
  if (met && (is_back(bench, met, begun) || bench.await_served(ended, bench.reconnect_limit()))) return;
  throw ClaimFailed(fmt::format("after fault {}, {}, it did not come back within {}", count, fault.name,
                                in_ms(bench.reconnect_limit())));
}

// One fault after the other for an hour: closes, resets, refusals, a DNS that fails; all of them in a row, then all of
// them again, in an order that the run's seed gives each time.
// Assures that no order of faults that happen anyway brings a device to a stand.
// Fails firmware that loses a lock, a timer or a slot on the path of an error.
void an_hour_of_faults(Bench& bench) {
  const Milliseconds duration = bench.info().timing.soak;
  bench.afford(duration, "the soak");
  const EvidencePtr control = bench.await_served(bench.drop_connections(), bench.reconnect_limit());
  if (!control) throw Inconclusive("not served after a close");
  bench.opportunity(control);
  std::vector<Fault> faults = faults_of(bench);
  std::mt19937_64 random(bench.seed());
  std::map<std::string, int> met;
  const SteadyTime begun = bench.time();
  int count = 0;
  const auto goes_on = [&] {
    if (bench.since(begun) < duration) return true;
    return count < fewest_rows * std::ssize(faults) && bench.can_afford(bench.since(begun));
  };
  while (goes_on()) {
    std::shuffle(faults.begin(), faults.end(), random);
    for (auto fault = faults.begin(); fault != faults.end() && goes_on(); ++fault) {
      bench.findings().evidence.clear();  // only what the last fault left is to the point
      bench.rests_on(control);
      survive(bench, *fault, ++count);
      ++met[fault->name];
    }
  }
  std::string text = fmt::format("seed {}: {} faults in {}", bench.seed(), count, in_ms(bench.since(begun)));
  for (const auto& [name, times] : met) text += fmt::format("; {} × {}", times, name);
  bench.note(text);
}

}  // namespace

void add_endurance_cases(std::vector<Case>& cases) {
  cases.push_back({.id = "LIFE-04",
                   .area = "lifecycle",
                   .title = "a hundred connections",
                   .demand = "a hundred connections in one life of the firmware are all served; the handshakes of the "
                             "last 20 are no longer than 1.5 times those of the first 20 (else a warning)",
                   .source = "house rule H1",
                   .needs = {Capability::reset},
                   .defects = {"leak-per-connect"},
                   .depends_on = {"LIFE-06", "SNI-02", "SNI-03", "MODE-01", "MOVE-01", "MOVE-04"},
                   .opportunity = "a served connection at first",
                   .waits = true,
                   .body = a_hundred_connections,
                   .file = __FILE__,
                   .line = __LINE__});
  cases.push_back({.id = "LIFE-05",
                   .area = "lifecycle",
                   .level = Level::should,
                   .title = "an hour of faults",
                   .demand = "after each fault of an hour of mixed ones, drawn by the run's seed, it is served within "
                             "the reconnect limit",
                   .source = "house rule H1",
                   .needs = {Capability::reset},
                   .defects = {"lockup-on-fault-during-handshake"},
                   .depends_on = {"LIFE-06", "SNI-02", "SNI-03", "MODE-01", "MODE-04", "LIFE-01"},
                   .opportunity = "a served connection at first",
                   .waits = true,
                   .body = an_hour_of_faults,
                   .file = __FILE__,
                   .line = __LINE__});
}

}  // namespace hilmark::suites
