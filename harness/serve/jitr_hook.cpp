#include "harness/serve/jitr_hook.h"

#include <cstdlib>

#include "harness/base/child_process.h"

extern char** environ;

namespace hilmark::serve {
namespace {

constexpr Milliseconds time_limit{60'000};
constexpr Milliseconds look_again{50};  // whether the command has ended, or the cloud is to

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

}  // namespace

JitrHook::JitrHook(Settings settings) : settings_(std::move(settings)), thread_([this] { work(); }) {}

JitrHook::~JitrHook() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void JitrHook::add(const PendingCertificate& certificate) {
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.size() >= max_waiting) return;
    if (!known_.insert({certificate.place, certificate.certificate_id}).second) return;
    waiting_.push_back(certificate);
  }
  changed_.notify_all();
}

bool JitrHook::stopping() {
  const std::lock_guard lock(mutex_);
  return stop_;
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
  const std::string what = fmt::format("jitr_hook for certificate {}", certificate.certificate_id);
  if (!process) return settings_.report(fmt::format("{}: {}", what, process.error().message));
  const SystemClock clock;
  const Deadline deadline(clock, time_limit);
  while (!deadline.expired() && !stopping()) {
    const auto status = process->wait(Deadline(clock, look_again));
    if (status) return settings_.report(fmt::format("{}: {}", what, status->text()));
  }
  (void)process->stop(Milliseconds{0});
  settings_.report(
      fmt::format("{}: ended, {}", what, deadline.expired() ? "not done after 60 s" : std::string("as the cloud is")));
}

}  // namespace hilmark::serve
