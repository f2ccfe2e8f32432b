#include "suites/bench.h"

#include <algorithm>

namespace hilmark::suites {
namespace {
constexpr Milliseconds probe_limit{30'000};
constexpr Milliseconds longest_case{300'000};  // without --long

bool rig_broke(const Evidence& piece) { return piece.source == "rig" && piece.kind == "broker_died"; }
}  // namespace

std::string in_ms(Milliseconds time) { return fmt::format("{} ms", time.count()); }

Bench::Bench(const BenchParts& parts)
    : parts_(parts), probe_identity_(rig_value(parts.devices.make_device(std::string(probe_name)))) {}

void Bench::check(const Result<void>& done) {
  if (done) return;
  switch (done.error().kind) {
    case ErrorKind::unit:
      throw Inconclusive(done.error().message);
    case ErrorKind::timeout: {
      // A unit that fell silent is not the rig's fault, one that is gone from the bench is.
      if (const auto present = parts_.unit.check_present(); !present) throw RigTrouble(present.error());
      throw Inconclusive(done.error().message);
    }
    default:
      throw RigTrouble(done.error());
  }
}

std::uint64_t Bench::end_of_former_life(std::uint64_t after) const {
  const auto ends = parts_.evidence.all(
      [](const Evidence& piece) {
        return piece.kind == "left" || piece.kind == "process_stopped" || piece.kind == "restarted";
      },
      after);
  return ends.empty() ? after : ends.back()->number;
}

std::uint64_t Bench::restarted(const Result<void>& done, std::uint64_t before) {
  const bool is_silent = !done && done.error().kind == ErrorKind::timeout && started_anew_since(before);
  if (is_silent) {
    // It was restarted: what the endpoint sees of it can be judged, whatever its console does.
    note("restarted, its console did not answer: " + done.error().message);
  } else {
    check(done);
  }
  return end_of_former_life(before);
}

std::uint64_t Bench::reset_unit() {
  const std::uint64_t before = now();
  return restarted(parts_.unit.reset(), before);
}

std::uint64_t Bench::power_cycle_unit() {
  const std::uint64_t before = now();
  return restarted(parts_.unit.power_cycle(), before);
}

EndpointAddress Bench::address_of(const cloud::Place& place) {
  return {parts_.cloud.account(place).endpoint_name(), parts_.cloud.listen_address(place.region),
          parts_.cloud.mqtt_port(place.region), parts_.resolver == nullptr ? "" : parts_.resolver->address()};
}

EndpointAddress Bench::address_of_domain(const cloud::Place& place, const std::string& domain_name) {
  rig_value(account(place).create_domain("hilmark", domain_name));
  EndpointAddress address = address_of(place);
  address.name = domain_name;
  if (parts_.resolver != nullptr) parts_.resolver->deviate(domain_name, {.address = address.connect_address});
  return address;
}

network::Resolver& Bench::resolver() {
  if (parts_.resolver == nullptr) {
    throw NotApplicable("this unit has no network of its own, so that the rig's name server does not answer it");
  }
  if (!asks_resolver()) {
    throw NotApplicable(
        "it has not asked the rig's name server for its endpoint: it dials an address that it was given, or has a "
        "table of names of its own");
  }
  return *parts_.resolver;
}

bool Bench::asks_resolver() const {
  return parts_.resolver != nullptr &&
         parts_.resolver->was_asked_for(parts_.cloud.account(account_a()).endpoint_name());
}

void Bench::set_endpoint(const EndpointAddress& endpoint) {
  check(parts_.unit.set_endpoint(endpoint));
  endpoint_ = endpoint;
}

std::optional<std::string> Bench::refusal_of(const EndpointAddress& endpoint) {
  const auto done = parts_.unit.set_endpoint(endpoint);
  if (!done && done.error().kind == ErrorKind::unit) return done.error().message;
  check(done);
  endpoint_ = endpoint;
  return std::nullopt;
}

WayHome::~WayHome() {
  try {
    bench_.move_to(bench_.account_a());
  } catch (const std::exception& error) {
    bench_.note(fmt::format("it was not brought home after this case: {}", error.what()));
  }
}

void Bench::move_to(const cloud::Place& place) { set_endpoint(address_of(place)); }

void Bench::make_identity() { hold(made_identity()); }

void Bench::hold(const pki::DeviceCredential& identity) {
  identity_ = identity;
  certificate_id_ = rig_value(pki::certificate_id(identity_.certificate_pem));
}

pki::DeviceCredential Bench::made_identity() {
  pki::DeviceCredential made;
  const std::string& client_id = parts_.settings.client_id;
  if (can(Capability::csr)) {
    auto request = parts_.unit.request_csr(client_id);
    if (!request) check(tl::unexpected<Error>(request.error()));
    auto signed_identity = parts_.devices.sign_request(*request, client_id);
    if (!signed_identity) {
      throw Inconclusive(
          fmt::format("{}: its certificate request cannot be signed: {}", info().id, signed_identity.error().message));
    }
    made = std::move(*signed_identity);
  } else {
    made = rig_value(parts_.devices.make_device(client_id));
  }
  parts_.keys.add_key(rig_value(pki::public_key_id(made.certificate_pem)));
  return made;
}

void Bench::install(const pki::DeviceCredential& identity) {
  check(install_identity(identity));
  hold(identity);
}

pki::DeviceCredential Bench::another_identity(const cloud::Place& place) {
  pki::DeviceCredential made = made_identity();
  admit(account(place), made);
  return made;
}

Bench::PowerCut Bench::cut_power_during(const std::function<Result<void>()>& work, Milliseconds after) {
  if (info().kind == UnitKind::process) throw NotApplicable("a program has no power that could be cut while it works");
  const std::uint64_t before = now();
  Milliseconds took{0};
  const auto timed = [&] {
    const SteadyTime begun = time();
    auto done = work();
    took = since(begun);
    return done;
  };
  const auto confirmed = parts_.unit.cut_power_during(timed, after);
  if (!confirmed && confirmed.error().kind == ErrorKind::usage) throw NotApplicable(confirmed.error().message);
  if (!confirmed) check(fail(confirmed.error()));
  return {end_of_former_life(before), *confirmed, took};
}

Bench::PowerCut Bench::install_with_power_cut(const pki::DeviceCredential& identity, Milliseconds after) {
  return cut_power_during([&] { return install_identity(identity); }, after);
}

Bench::PowerCut Bench::move_with_power_cut(const cloud::Place& place, Milliseconds after) {
  const EndpointAddress there = address_of(place);
  endpoint_ = {};  // Whoever wants it at home tells it.
  return cut_power_during([&] { return parts_.unit.set_endpoint(there); }, after);
}

void Bench::provision(const std::function<void()>& once_signed) {
  if (!can(Capability::install)) {
    throw Inconclusive(
        fmt::format("{} offers no capability install, so the rig cannot give it an identity", info().id));
  }
  // A key that the rig made is good for as long as the unit lives; a unit that makes its own may have lost it.
  if (can(Capability::csr) || identity_.certificate_pem.empty()) make_identity();
  if (once_signed) once_signed();
  check(install_identity(identity_));
  set_endpoint(address_of(account_a()));
  check(parts_.unit.connect());
}

std::uint64_t Bench::rotate_identity(const cloud::Place& place) {
  const std::string former = certificate_id_;
  make_identity();
  register_certificate(place);
  const std::uint64_t before = now();
  check(install_identity(identity_));
  // While it is told its new identity part by part it may come with the one that it still has.
  const std::uint64_t installed = now();
  // Only now, since it drops the unit's connection: it would come back with what it still has.
  rig_value(account(place).update_certificate(former, cloud::CertificateStatus::revoked));
  return std::max(installed, end_of_former_life(before));
}

std::optional<Bytes> Bench::read_image() {
  if (!can(Capability::flash) || !firmware()) return std::nullopt;
  auto content = parts_.unit.read_flash(firmware()->address, firmware()->content.size());
  if (content) return std::move(*content);
  if (content.error().kind == ErrorKind::usage) return std::nullopt;  // Its bootloader does not give it.
  check(tl::unexpected<Error>(content.error()));
  return std::nullopt;
}

std::uint64_t Bench::drop_connections(bool by_tcp_reset) {
  const std::uint64_t mark = now();
  parts_.cloud.drop_connections(by_tcp_reset);
  return mark;
}

void Bench::prove_endpoint_healthy() {
  if (const auto trouble = parts_.cloud.trouble()) throw RigTrouble(*trouble);
  if (parts_.resolver != nullptr) {
    rig_value(parts_.resolver->probe(account(account_a()).endpoint_name(), Deadline(parts_.clock, probe_limit)));
  }
  const auto report = parts_.cloud.probe(region(), account(account_a()).endpoint_name(), probe_identity_,
                                         Deadline(parts_.clock, probe_limit));
  if (!report.served) {
    throw RigTrouble(
        Error{ErrorKind::rig, fmt::format("the rig's own probe client was not served: {}", report.detail)});
  }
}

EvidencePtr Bench::await(const EvidenceLog::Matcher& matches, std::uint64_t after, Milliseconds limit) {
  if (const auto trouble = parts_.cloud.trouble()) throw RigTrouble(*trouble);
  const auto either = [&](const Evidence& piece) { return rig_broke(piece) || matches(piece); };
  EvidencePtr found = parts_.evidence.wait_for(either, after, Deadline(parts_.clock, limit));
  if (found && rig_broke(*found)) {
    throw RigTrouble(Error{ErrorKind::rig, fmt::format("the rig's broker died: {}", found->text("why"))});
  }
  if (!found) {
    if (const auto present = parts_.unit.check_present(); !present) throw RigTrouble(present.error());
  }
  return found;
}

EvidencePtr Bench::await_kind(std::string_view kind, std::uint64_t after, Milliseconds limit) {
  return await([&](const Evidence& piece) { return of_unit(piece) && piece.kind == kind; }, after, limit);
}

EvidencePtr Bench::await_registered_and_served(std::uint64_t after, Milliseconds limit,
                                               const EvidenceLog::Matcher& counts) {
  EvidencePtr first = await(
      [&](const Evidence& piece) { return counts(piece) && (piece.kind == "registered" || piece.kind == "connack"); },
      after, limit);
  if (!first || first->kind == "connack") return first;
  return await([&](const Evidence& piece) { return counts(piece) && piece.kind == "connack"; }, first->number,
               reconnect_limit());
}

std::vector<EvidencePtr> Bench::seen(std::string_view kind, std::uint64_t after) const {
  return parts_.evidence.all([&](const Evidence& piece) { return of_unit(piece) && piece.kind == kind; }, after);
}

std::vector<Hello> Bench::hellos_since(std::uint64_t after) const {
  std::vector<Hello> hellos;
  for (const EvidencePtr& piece : of_connections_since(after, {"client_hello", "client_hello_malformed"})) {
    hellos.push_back(Hello::from(piece));
  }
  return hellos;
}

std::vector<Presented> Bench::presented_since(std::uint64_t after) const {
  std::vector<Presented> presented;
  for (const EvidencePtr& piece : of_connections_since(after, {"client_certificates"})) {
    presented.push_back(Presented::from(piece));
  }
  return presented;
}

std::vector<EvidencePtr> Bench::of_connections_since(std::uint64_t after,
                                                     std::initializer_list<std::string_view> kinds) const {
  const auto accepted = seen("tcp_accepted", after);
  const auto is_wanted = [&](const Evidence& piece) {
    return of_unit(piece) && std::find(kinds.begin(), kinds.end(), piece.kind) != kinds.end() &&
           std::any_of(accepted.begin(), accepted.end(),
                       [&](const EvidencePtr& connection) { return connection->connection == piece.connection; });
  };
  return parts_.evidence.all(is_wanted, after);
}

std::optional<Hello> Bench::await_hello(std::uint64_t after, Milliseconds limit,
                                        const std::function<bool(const Hello&)>& which) {
  const auto is_hello = [&](const Evidence& piece) {
    return of_unit(piece) && (piece.kind == "client_hello" || piece.kind == "client_hello_malformed") &&
           which(Hello::from(std::make_shared<const Evidence>(piece)));
  };
  const EvidencePtr found = await(is_hello, after, limit);
  if (!found) return std::nullopt;
  return Hello::from(found);
}

EvidencePtr Bench::remark(std::string kind, boost::json::object data) {
  return parts_.evidence.add("rig", std::move(kind), std::move(data));
}

void Bench::watch(Milliseconds window) {
  const SteadyTime from = parts_.clock.now();
  (void)await([](const Evidence&) { return false; }, now(), window);
  waits_.add(from, parts_.clock.now());
}

Milliseconds Bench::reconnect_limit() const {
  return std::max(info().timing.reconnect_max, Milliseconds{largest_gap_ms_.load() * 3 / 2});
}

bool Bench::can_afford(Milliseconds time) const { return time <= longest_case || has_long_time(); }

void Bench::afford(Milliseconds time, std::string_view what) const {
  if (can_afford(time)) return;
  throw NotApplicable(
      fmt::format("{} would take {} s on this unit, more than the {} s that a case may take; run it with --long", what,
                  time.count() / 1000, longest_case.count() / 1000));
}

void Bench::saw_gap(SteadyTime from, SteadyTime to) {
  waits_.add(from, to);
  const auto gap = std::chrono::duration_cast<Milliseconds>(to - from);
  if (gap.count() > largest_gap_ms_) largest_gap_ms_ = gap.count();
}

void Bench::opportunity(const EvidencePtr& evidence) {
  if (!findings_.opportunity) findings_.opportunity = evidence;
  rests_on(evidence);
}

void Bench::rests_on(const EvidencePtr& evidence) {
  if (evidence) findings_.evidence.push_back(evidence);
}

bool Bench::try_bring_to_served(std::string& story) {
  bool holds_another = false;  // a case that failed has left it so
  const auto served = [&](std::uint64_t after, Milliseconds limit) {
    const EvidencePtr found = await_served(after, limit);
    holds_another = found && !certificate_id_.empty() && found->text("certificate_id") != certificate_id_;
    if (holds_another) story += "it came with another certificate than the one that it was given last; ";
    return found && !holds_another;
  };
  if (can(Capability::endpoint)) {
    const EndpointAddress home = address_of(account_a());
    if (!(endpoint_ == home)) {
      const auto moved = parts_.unit.set_endpoint(home);
      // Restarted there, so that no case depends on the moves that another one made.
      const auto restarted = moved ? parts_.unit.reset() : moved;
      if (moved) endpoint_ = home;
      if (moved && !restarted) story += "its reset at home failed (" + restarted.error().message + "); ";
      if (!moved) story += "it did not take its home endpoint (" + moved.error().message + "); ";
    }
  }
  std::uint64_t mark = lay_out_home();
  if (beyond_recovery_) {
    // All was tried for an earlier case. Once more is a chance; the whole ladder for each case would cost minutes.
    if (parts_.unit.reset() && served(mark, connect_limit())) return true;
    if (holds_another && can(Capability::install)) return is_provisioned_anew(story);
    story += "not back within " + in_ms(connect_limit()) + " of a reset, and for an earlier case all else was tried";
    return false;
  }
  if (served(mark, reconnect_limit())) return true;
  if (holds_another && can(Capability::install) && is_provisioned_anew(story)) return true;
  story += "not back within " + in_ms(reconnect_limit());
  mark = now();
  const auto reset = parts_.unit.reset();
  if (reset && endpoint_.name != account(account_a()).endpoint_name() && can(Capability::endpoint)) {
    if (parts_.unit.set_endpoint(address_of(account_a()))) endpoint_ = address_of(account_a());
  }
  if (reset && served(mark, connect_limit())) return true;
  story += reset ? ", nor after a reset" : "; the reset failed: " + reset.error().message;
  if (can(Capability::power)) {
    mark = now();
    const auto cycled = parts_.unit.power_cycle();
    if (cycled && served(mark, connect_limit())) return true;
    story += cycled ? ", nor after a power cycle" : "; the power cycle failed: " + cycled.error().message;
  }
  return can(Capability::install) && is_provisioned_anew(story);
}

bool Bench::is_provisioned_anew(std::string& story) {
  provision();
  const EvidencePtr found = await_served(lay_out_home(), connect_limit());
  if (!found || found->text("certificate_id") != certificate_id_) {
    story += ", nor after it was provisioned anew";
    return false;
  }
  note("before this case the unit had lost its identity or its endpoint, or held another, and was provisioned anew");
  return true;
}

void Bench::bring_to_served() {
  std::string story;
  const bool is_served = try_bring_to_served(story);
  beyond_recovery_ = !is_served;
  if (is_served) return;
  prove_endpoint_healthy();
  throw Inconclusive("no control: the unit could not be brought back to a served connection (" + story + ")");
}

EvidencePtr Bench::serve_anew() {
  const std::uint64_t mark = now();
  bring_to_served();
  // The newest: one of before the world was laid out ended with it.
  return seen("connack", mark).back();
}

}  // namespace hilmark::suites
