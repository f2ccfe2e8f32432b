#include "harness/serve/jitr_hook.h"

#include <cerrno>
#include <cstdlib>
#include <iterator>
#include <utility>

#include <poll.h>
#include <sys/eventfd.h>

#include "harness/base/child_process.h"

extern char** environ;

namespace hilmark::serve {
namespace {

constexpr Milliseconds time_limit{60'000};

std::map<std::string, std::string> own_environment() {
  std::map<std::string, std::string> environment;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    if (const auto equals = text.find('='); equals != std::string::npos) {
      environment[text.substr(0, equals)] = text.substr(equals + 1);
    }
  }
  return environment;
}

/// Until the command has ended, the cloud is to end, or the deadline.
void wait_for_either(int command_ended, int stopping, const Deadline& deadline) {
  pollfd either[] = {{command_ended, POLLIN, 0}, {stopping, POLLIN, 0}};
  while (!deadline.expired()) {
    const int ready = ::poll(either, std::size(either), static_cast<int>(deadline.left().count()) + 1);
    if (ready > 0 || (ready < 0 && errno != EINTR)) return;
  }
}

}  // namespace

Result<std::unique_ptr<JitrHook>> JitrHook::start(Settings settings) {
  UniqueFd stopping(::eventfd(0, EFD_CLOEXEC));
  if (!stopping) return fail(ErrorKind::rig, "cannot make an eventfd: {}", errno_text(errno));
  return std::unique_ptr<JitrHook>(new JitrHook(std::move(settings), std::move(stopping)));
}

JitrHook::JitrHook(Settings settings, UniqueFd stopping)
    : settings_(std::move(settings)), stopping_(std::move(stopping)), thread_([this] { work(); }) {}

JitrHook::~JitrHook() {
  request_stop();
  thread_.join();
}

/// For both who may be waiting: the thread for its next certificate, and for the command that it runs.
void JitrHook::request_stop() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  (void)::eventfd_write(stopping_.get(), 1);
}

void JitrHook::add(const PendingCertificate& certificate) {
  {
    const std::lock_guard lock(mutex_);
    if (known_.count({certificate.place, certificate.certificate_id}) > 0) return;
    const bool full = waiting_.size() >= max_waiting;
    if (full && std::exchange(dropping_, true)) return;
    if (!full) {
      known_.insert({certificate.place, certificate.certificate_id});
      waiting_.push_back(certificate);
      changed_.notify_all();
      return;
    }
  }
  settings_.report(Told::dropped, fmt::format("jitr_hook: {} certificates wait for their turn; that of certificate {}, "
                                              "and of further ones, is dropped until their devices come again",
                                              max_waiting, certificate.certificate_id));
}

void JitrHook::work() {
  for (;;) {
    PendingCertificate next;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return stop_ || !waiting_.empty(); });
      if (stop_) return;
      next = std::move(waiting_.front());
      waiting_.pop_front();
      dropping_ = false;
      known_.erase({next.place, next.certificate_id});
    }
    run(next);
  }
}

void JitrHook::run(const PendingCertificate& certificate) {
  std::map<std::string, std::string> environment = own_environment();
  environment["HILMARK_ACCOUNT"] = certificate.place.account;
  environment["HILMARK_REGION"] = certificate.place.region;
  environment["HILMARK_CERTIFICATE_ID"] = certificate.certificate_id;
  environment["HILMARK_CA_ID"] = certificate.ca_id;
  for (auto& [name, value] : settings_.environment(certificate.place)) environment[name] = value;
  auto process = ChildProcess::start(
      {.command = settings_.command, .environment = std::move(environment), .output = ChildOptions::Output::inherit});
  const auto report = [&](const std::string& how) {
    settings_.report(Told::outcome, fmt::format("jitr_hook for certificate {}: {}", certificate.certificate_id, how));
  };
  if (!process) return report(process.error().message);
  const SystemClock clock;
  const Deadline deadline(clock, time_limit);
  wait_for_either(process->when_ended(), stopping_.get(), deadline);
  if (!process->running()) return report(process->ended()->text());
  (void)process->stop(Milliseconds{0});
  report(deadline.expired() ? "ended, not done after 60 s" : "ended, as the cloud is");
}

}  // namespace hilmark::serve
