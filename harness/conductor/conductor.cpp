#include "harness/conductor/conductor.h"

#include <algorithm>
#include <cerrno>
#include <csignal>

#include <boost/json/parse.hpp>
#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "drivers/unit/unit_lock.h"
#include "harness/base/bytes.h"
#include "harness/conductor/preflight.h"
#include "harness/conductor/run_events.h"
#include "harness/conductor/run_log.h"
#include "harness/conductor/run_progress.h"
#include "harness/conductor/run_reports.h"
#include "harness/conductor/worker_link.h"

namespace hilmark {
namespace {

constexpr Milliseconds stop_grace{5'000};  ///< for a worker that was asked to stop
constexpr Milliseconds end_grace{10'000};  ///< for a worker that has said its last word
constexpr Milliseconds redraw_interval{250};
constexpr Milliseconds second_signal{1'000};  ///< a signal this long after the first is the user's second
constexpr int signal_exit_base = 128;

struct UnitRun {
  const PreparedUnit* prepared = nullptr;
  std::optional<WorkerLink> link;
  enum class State { waiting, preparing, ready, running, ended } state = State::waiting;
  bool said_done = false;
  std::optional<Error> lost;     ///< what the worker said, or what it did wrong
  std::optional<Error> refused;  ///< in its preparation

  [[nodiscard]] const BenchUnit& unit() const { return *prepared->plan.unit; }
};

/// Why the whole run ends before its time.
struct Stop {
  int signal = 0;       ///< 0: the deadline
  std::string message;  ///< "SIGINT", "the run's deadline of 60000 ms"
  SteadyTime at{};
};

class Conductor {
 public:
  Conductor(const RunOptions& options, const ConductorParts& parts, const PreparedRun& prepared, int signals)
      : options_(options),
        parts_(parts),
        prepared_(prepared),
        signals_(signals),
        progress_(parts.terminal, RunProgress::look_of(parts.terminal), count_verdicts(options, prepared)),
        started_(clock_.wall()) {
    if (options.deadline) deadline_.emplace(clock_, *options.deadline);
    for (const PreparedUnit& unit : prepared.units) units_.emplace_back().prepared = &unit;
    // With --wait, units are locked one after another in one order, so that two runs cannot wait for each other.
    if (waits()) {
      if (options.wait != LockWait::for_ever) lock_deadline_.emplace(clock_, options.wait);
      std::stable_sort(units_.begin(), units_.end(), [](const UnitRun& left, const UnitRun& right) {
        return lock_name(left.unit().port, left.unit().id) < lock_name(right.unit().port, right.unit().id);
      });
    }
  }

  /// All workers in their worlds, each with its unit locked and everything checked.
  Result<void> prepare() {
    while (!stop_) {
      if (auto started = start_workers(); !started) return started;
      const auto refused =
          std::find_if(units_.begin(), units_.end(), [](const UnitRun& unit) { return unit.refused.has_value(); });
      if (refused != units_.end()) return fail(ErrorKind::usage, "{}", refused->refused->message);
      if (all_of(UnitRun::State::ready)) return {};
      turn();
    }
    return fail(ErrorKind::interrupted, "ended by {} before the run began", stop_->message);
  }

  Result<void> begin() {
    auto log = RunLog::create(prepared_.out / "events.jsonl", clock_, [this](const reports::CaseOutcome& outcome) {
      progress_.verdict(outcome, options_.rounds);
    });
    if (!log) return fail(log.error());
    log_.emplace(std::move(*log));
    boost::json::object started = run_started_event(options_, parts_, prepared_);
    started["time"] = iso8601(started_);
    append({}, std::move(started));
    for (const PreparedUnit& unit : prepared_.units) append(unit.plan.unit, unit_planned_event(unit));
    return {};
  }

  /// Instead of run(): ends the workers, and with them all that they have started, so that their units are free.
  void abandon() {
    for (UnitRun& unit : units_) {
      if (unit.link) (void)unit.link->end(Milliseconds{0});
      unit.link.reset();
    }
  }

  void run() {
    while (!all_of(UnitRun::State::ended)) {
      if (!stop_) release_workers();
      turn();
    }
  }

  /// Ends the log and makes the reports.
  Result<int> finish() {
    progress_.redraw();
    return finish_run({.run = prepared_,
                       .stopped_by_signal = stop_ && stop_->signal != 0 ? stop_->signal : 0,
                       .deadline_came = stop_ && stop_->signal == 0,
                       .trouble = trouble_,
                       .look = RunProgress::look_of(parts_.terminal)},
                      *log_, [this](std::string_view line) { progress_.line(line); });
  }

  [[nodiscard]] int stop_signal() const { return stop_ ? stop_->signal : 0; }
  RunProgress& progress() { return progress_; }

 private:
  static std::size_t count_verdicts(const RunOptions& options, const PreparedRun& prepared) {
    std::size_t count = 0;
    for (const PreparedUnit& unit : prepared.units) {
      const std::size_t running = unit.plan.running().size();
      count += running * static_cast<std::size_t>(options.rounds) + unit.plan.cases.size() - running;
    }
    return count;
  }

  /// Whether units that others hold are waited for.
  [[nodiscard]] bool waits() const { return options_.wait > Milliseconds{0}; }

  [[nodiscard]] bool all_of(UnitRun::State state) const {
    return std::all_of(units_.begin(), units_.end(), [&](const UnitRun& unit) { return unit.state == state; });
  }

  /// An event of a unit, or of the run (null). A log that cannot be written ends the run.
  void append(const BenchUnit* unit, boost::json::object event) {
    if (!log_ || trouble_) return;
    const auto appended =
        unit == nullptr ? log_->append(std::move(event)) : log_->append(unit->id, unit->is_virtual(), std::move(event));
    if (appended) return;
    trouble_ = appended.error();
    for (UnitRun& other : units_) {
      if (other.link) other.link->kill();
    }
  }

  Result<void> start_workers() {
    for (UnitRun& unit : units_) {
      if (waits() && unit.state == UnitRun::State::preparing) return {};
      if (unit.state != UnitRun::State::waiting) continue;
      const BenchUnit& bench_unit = unit.unit();
      const std::filesystem::path folder = prepared_.out / "units" / bench_unit.id;
      std::vector<std::string> command = parts_.worker_command;
      command.insert(command.end(), {bench_unit.id, folder.string()});
      WorkerOrders orders = orders_for(options_, prepared_, *unit.prepared);
      // The time for waiting is that of the whole run; where others have used it up, this one is looked at all the
      // same.
      if (lock_deadline_) orders.wait_ms = std::max<std::int64_t>(1, lock_deadline_->left().count());
      auto link = WorkerLink::start({.command = command, .log = folder / "worker.log"}, std::move(orders));
      if (!link) return fail(link.error(), "unit {}", bench_unit.id);
      unit.link.emplace(std::move(*link));
      unit.state = UnitRun::State::preparing;
      if (waits()) return {};
    }
    return {};
  }

  /// Lets as many workers go as may run at a time.
  void release_workers() {
    auto running = std::count_if(units_.begin(), units_.end(),
                                 [](const UnitRun& unit) { return unit.state == UnitRun::State::running; });
    for (UnitRun& unit : units_) {
      if (unit.state != UnitRun::State::ready || (options_.jobs > 0 && running >= options_.jobs)) continue;
      unit.state = UnitRun::State::running;
      append(&unit.unit(), {{"type", "unit_started"}, {"pid", unit.link->pid()}});
      unit.link->go();
      ++running;
    }
  }

  /// Waits for the next thing to happen, and handles all that did.
  void turn() {
    std::vector<pollfd> waits{{signals_, POLLIN, 0}};
    std::vector<UnitRun*> speakers;
    for (UnitRun& unit : units_) {
      if (!unit.link || unit.state == UnitRun::State::ended) continue;
      waits.push_back({unit.link->events_fd(), POLLIN, 0});
      speakers.push_back(&unit);
    }
    const int happened = ::poll(waits.data(), waits.size(), static_cast<int>(time_to_wait().count()));
    if (happened > 0 && waits[0].revents != 0) on_signal();
    for (std::size_t index = 0; happened > 0 && index < speakers.size(); ++index) {
      if (waits[index + 1].revents != 0) listen(*speakers[index]);
    }
    if (deadline_ && deadline_->expired() && !stop_)
      stop({.signal = 0, .message = fmt::format("the run's deadline of {} ms", deadline_->span().count())});
    if (stop_ && clock_.now() - stop_->at >= stop_grace) kill_all();
    progress_.redraw();
  }

  [[nodiscard]] Milliseconds time_to_wait() const {
    Milliseconds wait = RunProgress::look_of(parts_.terminal).terminal ? redraw_interval : Milliseconds(60'000);
    if (deadline_ && !stop_) wait = std::min(wait, deadline_->left() + Milliseconds(1));
    if (stop_)
      wait = std::min(
          wait, std::max(Milliseconds(50), std::chrono::ceil<Milliseconds>(stop_->at + stop_grace - clock_.now())));
    return wait;
  }

  void on_signal() {
    signalfd_siginfo info{};
    while (::read(signals_, &info, sizeof info) == sizeof info) {
      const int signal = static_cast<int>(info.ssi_signo);
      if (!stop_) {
        stop({.signal = signal == SIGHUP ? SIGTERM : signal,
              .message = signal == SIGINT   ? "SIGINT"
                         : signal == SIGHUP ? "SIGHUP"
                                            : "SIGTERM"});
      } else if (clock_.now() - stop_->at >= second_signal) {
        // A shell's Ctrl-C may reach us twice, directly and through virtual-lab; a person is slower.
        kill_all();
      }
    }
  }

  void stop(Stop why) {
    why.at = clock_.now();
    stop_ = std::move(why);
    progress_.line(
        fmt::format("hilmark: {}: ending the run; what has not been judged is reported as not run", stop_->message));
    for (UnitRun& unit : units_) {
      if (unit.link && unit.state != UnitRun::State::ended) unit.link->ask_to_stop();
      if (!unit.link) close_unit(unit);
    }
  }

  void kill_all() {
    for (UnitRun& unit : units_) {
      if (unit.link && unit.state != UnitRun::State::ended) unit.link->kill();
    }
  }

  void listen(UnitRun& unit) {
    const auto reading = unit.link->read([&](std::string_view line) { on_line(unit, line); });
    if (reading == WorkerLink::Reading::too_long) {
      unit.lost = Error{ErrorKind::rig, "the worker spoke a line without end"};
      unit.link->kill();
    }
    if (reading != WorkerLink::Reading::more) end_unit(unit);
  }

  void on_line(UnitRun& unit, std::string_view line) {
    if (unit.lost) return;  // What it says cannot be relied on any more.
    boost::json::error_code error;
    boost::json::value json = boost::json::parse({line.data(), line.size()}, error);
    if (error || !json.is_object())
      return lose(unit, fmt::format("the worker spoke nonsense: {}", printable(line.substr(0, 80))));
    reports::Event event{.type = {}, .members = std::move(json.get_object())};
    event.type = event.text("type");
    if (event.type == "worker_ready") {
      unit.state = UnitRun::State::ready;
    } else if (event.type == "worker_waits") {
      progress_.line(fmt::format("hilmark: unit {} is held by {}; waiting for it", unit.unit().id,
                                 printable(event.text("holder"))));
    } else if (event.type == "worker_refused") {
      unit.refused = Error{ErrorKind::usage, event.text("message")};
    } else if (event.type == "worker_done") {
      unit.said_done = true;
      // What a stop breaks off is nobody's failure.
      if (!event.flag("ok") && !stop_) unit.lost = Error{ErrorKind::rig, event.text("message")};
    } else if (unit.state == UnitRun::State::running && log_ && !trouble_) {
      tell(unit, event);
      const BenchUnit& bench_unit = unit.unit();
      const auto appended = log_->append(bench_unit.id, bench_unit.is_virtual(), std::move(event.members));
      if (!appended && appended.error().kind == ErrorKind::usage)
        return lose(unit, "the worker contradicts itself: " + appended.error().message);
      if (!appended) trouble_ = appended.error();
      if (trouble_) kill_all();
    }
  }

  static void lose(UnitRun& unit, std::string why) {
    if (!unit.lost) unit.lost = Error{ErrorKind::rig, std::move(why)};
    unit.link->kill();
  }

  void tell(const UnitRun& unit, const reports::Event& event) {
    const std::string& id = unit.unit().id;
    if (event.type == "case_started") progress_.unit_at(id, printable(event.text("case")));
    if (event.type != "progress") return;
    const auto* fraction = event.members.if_contains("fraction");
    const double done = fraction != nullptr && fraction->is_number() ? fraction->to_number<double>() : 0;
    progress_.unit_at(id, fmt::format("{} {:.0f} %", printable(event.text("step")), done * 100));
  }

  void end_unit(UnitRun& unit) {
    const ExitStatus status = unit.link->end(unit.said_done || stop_ ? end_grace : Milliseconds(1'000));
    if (unit.state == UnitRun::State::preparing && !unit.refused && !stop_) {
      unit.refused = Error{ErrorKind::usage, fmt::format("the worker of unit {} ended before it began: {}",
                                                         unit.unit().id, in_words(unit, status))};
    }
    if (!unit.said_done && !unit.lost && !stop_) died_ = in_words(unit, status);
    close_unit(unit);
    unit.link.reset();
    died_.clear();
  }

  void close_unit(UnitRun& unit) {
    unit.state = UnitRun::State::ended;
    progress_.unit_at(unit.unit().id, "");
    if (!log_) return;
    std::string outcome = "done";
    std::string message;
    if (unit.lost) {
      outcome = "failed";
      message = unit.lost->message;
    } else if (stop_) {
      outcome = "interrupted";
      message = "ended by " + stop_->message;
    } else if (!unit.said_done) {
      outcome = "died";
      message = died_;
    }
    append(&unit.unit(), {{"type", "unit_finished"}, {"outcome", outcome}, {"message", message}});
  }

  static std::string in_words(const UnitRun& unit, const ExitStatus& status) {
    const ExitStatus told =
        status.code > signal_exit_base ? ExitStatus{.code = 0, .signal = status.code - signal_exit_base} : status;
    const std::string last_words = unit.link->last_words();
    return fmt::format("its worker process ended with {}{}{}", told.text(),
                       last_words.empty() ? "" : "; its last words: ", last_words);
  }

  const RunOptions& options_;
  const ConductorParts& parts_;
  const PreparedRun& prepared_;
  int signals_;
  SystemClock clock_;
  RunProgress progress_;
  WallTime started_;
  std::vector<UnitRun> units_;
  std::optional<RunLog> log_;
  std::optional<Deadline> deadline_;
  std::optional<Deadline> lock_deadline_;
  std::optional<Stop> stop_;
  std::optional<Error> trouble_;  ///< the log cannot be written
  std::string died_;              ///< how the worker in hand came to its end
};

}  // namespace

Result<int> conduct(const RunOptions& options, const ConductorParts& parts) {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals, signal);
  ::sigprocmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  const UniqueFd signal_fd(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signal_fd) return fail(ErrorKind::rig, "signalfd: {}", errno_text(errno));
  adopt_orphans();

  const SystemClock clock;
  auto prepared = prepare_run(options, parts.catalogue, clock);
  if (!prepared) return fail(prepared.error());
  Conductor conductor(options, parts, *prepared, signal_fd.get());
  auto begun = conductor.prepare();
  if (begun) begun = conductor.begin();
  if (!begun) {
    conductor.abandon();
    forget_out(*prepared);
    if (begun.error().kind != ErrorKind::interrupted) return fail(begun.error());
    // By the run's own deadline, while a unit was held by another.
    if (conductor.stop_signal() == 0) return fail(ErrorKind::usage, "{}", begun.error().message);
    return signal_exit_base + conductor.stop_signal();
  }
  link_latest(*prepared);
  conductor.progress().line(
      fmt::format("hilmark: run {}, seed {}, reports in {}", prepared->id, prepared->seed, prepared->out.string()));
  conductor.run();
  return conductor.finish();
}

}  // namespace hilmark
