#include "harness/conductor/provisioning.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <iterator>
#include <optional>

#include <boost/json/parse.hpp>
#include <fmt/ranges.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "harness/base/bytes.h"
#include "harness/base/end_signals.h"
#include "harness/conductor/preflight.h"
#include "harness/conductor/run_progress.h"
#include "harness/conductor/worker_link.h"
#include "reports/event_log.h"

namespace hilmark {
namespace {

constexpr Milliseconds stop_grace{5'000};  ///< for a worker that was asked to stop
constexpr std::size_t max_client_id = 64;  ///< RFC 5280 A.1, ub-common-name
constexpr Milliseconds end_grace{10'000};  ///< for one that has said its last word

ErrorKind kind_from(const std::string& name) {
  const auto* const kind = std::find_if(std::begin(all_error_kinds), std::end(all_error_kinds),
                                        [&](ErrorKind each) { return name_of(each) == name; });
  return kind == std::end(all_error_kinds) ? ErrorKind::rig : *kind;
}

/// One worker from its orders to its last word.
class Provisioning {
 public:
  Provisioning(const BenchUnit& unit, WorkerLink link, int signals, std::FILE* terminal)
      : unit_(unit),
        link_(std::move(link)),
        signals_(signals),
        progress_(terminal, RunProgress::look_of(terminal), 0) {}

  Result<ProvisionOutcome> run() {
    while (turn()) {
    }
    const ExitStatus status = link_.end(done_ || error_ ? end_grace : Milliseconds{0});
    if (done_ && provisioned_)
      return ProvisionOutcome{.signal = 0, .touched = true, .provisioned = std::move(*provisioned_)};
    if (stop_signal_ != 0) return ProvisionOutcome{.signal = stop_signal_, .touched = touched_, .provisioned = {}};
    if (error_) return fail(*error_);
    const std::string last_words = link_.last_words();
    return fail(ErrorKind::rig, "unit {}: its worker process ended with {}{}{}", unit_.id, status.text(),
                last_words.empty() ? "" : "; its last words: ", last_words);
  }

 private:
  /// False once the worker has ended.
  bool turn() {
    std::array<pollfd, 2> wake{{{link_.events_fd(), POLLIN, 0}, {signals_, POLLIN, 0}}};
    const Milliseconds wait = stop_ ? std::max(Milliseconds{0}, stop_->left()) : Milliseconds{-1};
    const int happened = ::poll(wake.data(), wake.size(), static_cast<int>(wait.count()));
    if (happened < 0) return errno == EINTR;
    if (stop_ && stop_->expired()) link_.kill();
    if (wake[1].revents != 0) on_signal();
    bool more = true;
    if (wake[0].revents != 0) {
      more = link_.read([this](std::string_view line) { on_line(line); }) == WorkerLink::Reading::more;
    }
    progress_.redraw();
    return more;
  }

  void on_signal() {
    signalfd_siginfo asked{};
    if (::read(signals_, &asked, sizeof asked) != sizeof asked) return;
    if (stop_) return link_.kill();
    stop_signal_ = static_cast<int>(asked.ssi_signo);
    stop_.emplace(clock_, stop_grace);
    link_.ask_to_stop();
  }

  void on_line(std::string_view line) {
    boost::json::error_code error;
    boost::json::value json = boost::json::parse({line.data(), line.size()}, error);
    if (error || !json.is_object()) {
      error_ = Error{ErrorKind::rig, fmt::format("the worker spoke nonsense: {}", printable(line.substr(0, 80)))};
      return link_.kill();
    }
    reports::Event event{.type = {}, .members = std::move(json.get_object())};
    event.type = event.text("type");
    if (event.type == "worker_ready") link_.go();
    if (event.type == "worker_waits") {
      progress_.line(
          fmt::format("hilmark: unit {} is held by {}; waiting for it", unit_.id, printable(event.text("holder"))));
    }
    if (event.type == "worker_refused") error_ = Error{kind_from(event.text("kind")), event.text("message")};
    if (event.type == "progress") {
      touched_ = true;
      progress_.unit_at(unit_.id, printable(event.text("step")));
    }
    if (event.type == "provisioned") provisioned_ = std::move(event.members);
    if (event.type == "worker_done") {
      done_ = true;
      progress_.unit_at(unit_.id, "");
      if (!event.flag("ok")) error_ = Error{kind_from(event.text("kind")), event.text("message")};
    }
  }

  const BenchUnit& unit_;
  const SystemClock clock_;
  WorkerLink link_;
  const int signals_;
  RunProgress progress_;
  bool done_ = false;
  bool touched_ = false;
  std::optional<Error> error_;
  std::optional<boost::json::object> provisioned_;
  int stop_signal_ = 0;
  std::optional<Deadline> stop_;
};

Result<WorkerOrders> orders_for(const ProvisionOptions& options, const Bench& bench) {
  const BenchUnit& unit = bench.units.front();
  const std::vector<std::string>& regions = bench.regions;
  const std::string region = options.region.empty() ? regions.front() : options.region;
  if (std::find(regions.begin(), regions.end(), region) == regions.end()) {
    return fail(ErrorKind::usage, "no region `{}` in {}; it has {}", printable(region), bench.lab.string(),
                fmt::join(regions, ", "));
  }
  const std::vector<std::string>& accounts = bench.accounts;
  if (std::find(accounts.begin(), accounts.end(), options.account) == accounts.end()) {
    return fail(ErrorKind::usage, "no account `{}` in {}; it has {}", printable(options.account), bench.lab.string(),
                fmt::join(accounts, ", "));
  }
  const auto all = [](const std::string& text, auto&& is_good) {
    return std::all_of(text.begin(), text.end(), is_good);
  };
  const std::string client_id = options.client_id.empty() ? "hilmark-" + unit.id : options.client_id;
  if (client_id.size() > max_client_id || !all(client_id, [](char c) { return c > ' ' && c <= '~'; })) {
    return fail(ErrorKind::usage,
                "client id {}: expected at most {} printable characters of ASCII without blanks, since it is the "
                "certificate's common name and is said on the console",
                printable(client_id), max_client_id);
  }
  auto machine = look_at_machine(SystemClock());
  if (!machine) return fail(machine.error());
  WorkerOrders orders;
  orders.unit = unit;
  orders.accounts = {options.account};
  orders.regions = {region};
  orders.mosquitto = machine->mosquitto;
  orders.namespaces = machine->namespaces;
  orders.wait_ms = options.wait.count();
  orders.provision = {.mode = options.mode,
                      .ca = options.ca.string(),
                      .ca_key = options.ca_key.string(),
                      .state = options.state.string(),
                      .client_id = client_id,
                      .out = options.out.string()};
  return orders;
}

}  // namespace

Result<ProvisionOutcome> provision(const ProvisionOptions& options, const std::vector<std::string>& worker_command,
                                   std::FILE* terminal) {
  const sigset_t signals = end_signals();
  ::sigprocmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  const UniqueFd signal_fd(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signal_fd) return fail(ErrorKind::rig, "signalfd: {}", errno_text(errno));
  adopt_orphans();

  const auto bench = find_bench_of(options.lab, options.unit);
  if (!bench) return fail(bench.error());
  const BenchUnit& unit = bench->units.front();
  if (unit.kind == "process") {
    return fail(ErrorKind::usage,
                "unit {} is a program: it is given its identity at each start, and has none between; `hilmark run` "
                "provisions it",
                unit.id);
  }
  if (!unit.can(Capability::install)) {
    return fail(ErrorKind::usage, "unit {} cannot be provisioned: it has no capability install", unit.id);
  }
  auto orders = orders_for(options, *bench);
  if (!orders) return fail(orders.error());
  const std::filesystem::path folder = options.out / unit.id;
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return fail(ErrorKind::usage, "cannot make {}: {}", folder.string(), error.message());
  if (::access(folder.c_str(), W_OK) != 0) {
    return fail(ErrorKind::usage, "cannot write to {}: {}", folder.string(), errno_text(errno));
  }
  const std::filesystem::path log = folder / "worker.log";
  std::filesystem::remove(log, error);  // An earlier one's last words would be told as this one's.
  std::vector<std::string> command = worker_command;
  command.insert(command.end(), {unit.id, folder.string()});
  auto link = WorkerLink::start({.command = command, .log = log}, std::move(*orders));
  if (!link) return fail(link.error(), "unit {}", unit.id);
  return Provisioning(unit, std::move(*link), signal_fd.get(), terminal).run();
}

}  // namespace hilmark
