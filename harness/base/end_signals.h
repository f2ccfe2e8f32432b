// The signals by which a user or the system asks this process to end.
#pragma once

#include <csignal>

namespace hilmark {

/// SIGINT, SIGTERM and SIGHUP, but for those that it was started to ignore (nohup, a shell's background job): blocked,
/// even these would become pending.
[[nodiscard]] inline sigset_t end_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction now {};
    const bool ignored = ::sigaction(signal, nullptr, &now) == 0 && now.sa_handler == SIG_IGN;
    if (!ignored) sigaddset(&signals, signal);
  }
  return signals;
}

}  // namespace hilmark
